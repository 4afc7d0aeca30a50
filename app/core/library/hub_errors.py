"""What goes wrong between us and the hub, in sentences for a person."""

from __future__ import annotations

import errno

from huggingface_hub import errors

from app.core.errors import ShardboardError
from app.core.text import phrase

SETTLE_S = 60.0


class HubError(ShardboardError):
    """temporary: trying again later may help."""

    def __init__(self, cause: str, remedy: str = "", *, temporary: bool = False) -> None:
        super().__init__(cause, remedy)
        self.temporary = temporary


def explain(error: BaseException, repo: str, page: str = "") -> ShardboardError:
    """The sentence for an error of huggingface_hub, its HTTP client or the disk. page: the repository's address."""
    if isinstance(error, ShardboardError):
        return error
    where = page or phrase("its page on the hub, {repo}", repo=repo)
    match error:
        case errors.GatedRepoError():
            return HubError(
                phrase("{repo} is gated: its makers want to know who downloads it.", repo=repo),
                phrase(
                    "Accept their terms on {where}, then give Shardboard a token: Hub token on the "
                    "Models page, or shardboard models token --set.",
                    where=where,
                ),
            )
        case errors.RepositoryNotFoundError():
            return HubError(
                phrase("There is no model {repo} on the hub, or it is private.", repo=repo),
                phrase(
                    "Look at its name, or give a token that may read it: Hub token on the Models "
                    "page, or shardboard models token --set."
                ),
            )
        case errors.RevisionNotFoundError():
            return HubError(
                phrase("{repo} has no such revision.", repo=repo), phrase("Leave the revision out for the newest one.")
            )
        case errors.OfflineModeIsEnabled():
            return HubError(
                phrase("The hub is switched off here (HF_HUB_OFFLINE is set)."),
                phrase("Models on this disk work; unset it to download."),
            )
        case errors.EntryNotFoundError():
            return HubError(
                phrase("{repo} has changed upstream: a file is gone.", repo=repo), phrase("Start the download again.")
            )
        case errors.HfHubHTTPError():
            return _of_status(error.response.status_code, repo)
        case errors.SafetensorsParsingError() | errors.NotASafetensorsRepoError():
            return HubError(
                phrase("{repo} holds no weights in safetensors files.", repo=repo),
                phrase("Choose another version of the model."),
            )
        case errors.HFValidationError():
            return HubError(
                phrase('"{repo}" cannot be the name of a model on the hub.', repo=repo[:80]),
                phrase("Write it as owner/name."),
            )
        case OSError() if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return HubError(
                phrase("The disk is full; {repo} cannot be saved.", repo=repo), phrase("Free some space, then resume.")
            )
        case PermissionError():
            return HubError(
                phrase("{repo} cannot be saved: {strerror}.", repo=repo, strerror=error.strerror),
                phrase("Choose another folder in Settings."),
            )
        case _:
            pass
    kind = type(error).__name__
    if "Timeout" in kind:
        return HubError(
            phrase("The hub does not answer."),
            phrase("Look at the network; it is tried again by itself."),
            temporary=True,
        )
    if isinstance(error, OSError) or kind in ("ConnectError", "ReadError", "RemoteProtocolError", "ProxyError"):
        return HubError(
            phrase("The hub cannot be reached."),
            phrase("Look at the network; it is tried again by itself."),
            temporary=True,
        )
    return HubError(
        phrase("The hub's answer cannot be understood ({kind}: {error}).", kind=kind, error=str(error)[:120]),
        temporary=True,
    )


def _of_status(status: int, repo: str) -> HubError:
    match status:
        case 401 | 403:
            return HubError(
                phrase("The hub refuses {repo} with this token.", repo=repo),
                phrase("Give one that may read it: Hub token on the Models page, or shardboard models token --set."),
            )
        case 404 | 410:
            return HubError(
                phrase("{repo} has changed upstream: a file is gone.", repo=repo), phrase("Start the download again.")
            )
        case 416:
            return HubError(
                phrase("{repo} has changed upstream: a file became shorter.", repo=repo),
                phrase("Start the download again."),
            )
        case 429:
            return HubError(
                phrase("The hub asks us to wait: too many requests."), phrase("It goes on by itself."), temporary=True
            )
        case _ if status >= 500:
            return HubError(
                phrase("The hub is in trouble (error {status}).", status=status),
                phrase("It is tried again by itself."),
                temporary=True,
            )
        case _:
            return HubError(phrase("The hub refused a request for {repo} (error {status}).", repo=repo, status=status))

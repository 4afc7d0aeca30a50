"""What muse_spark's Metal kernels compute, in plain MLX: the same data flow, not the same rounding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mlx.core as mx


def expert_routing(
    logits: mx.array, bias: mx.array, *, top_k: int, multiplier: float, score_eps: float, route_scale: float
) -> list[mx.array]:
    """The experts (..., top_k) and their weights, from scores (..., experts)."""
    scores = mx.sigmoid(logits * multiplier)
    chosen = mx.argpartition(-(scores + bias), kth=top_k - 1, axis=-1)[..., :top_k]
    weights = mx.take_along_axis(scores, chosen, axis=-1)
    return [chosen, weights / (weights.sum(axis=-1, keepdims=True) + score_eps) * route_scale]


def norm_add_norm(
    branch: mx.array,
    stream: mx.array,
    *,
    alpha: mx.array,
    beta: mx.array,
    post_weight: mx.array | None,
    post_eps: float,
    next_norm: Any,
) -> tuple[mx.array, mx.array | None]:
    """The stream with the branch added, and that as the next block wants it."""
    scaled = branch if post_weight is None else branch * post_weight.astype(branch.dtype)
    added = alpha * stream + beta * _norm(scaled, post_eps)
    return added, None if next_norm is None else pre_norm(added, next_norm, dtype=branch.dtype)


def pre_norm(stream: mx.array, norm: Any, *, dtype: mx.Dtype) -> mx.array:
    return (_norm(stream, norm.eps) * norm.weight).astype(dtype)


def post_expert_norm_combine(experts: mx.array, weights: mx.array, *, norm_weight: mx.array, eps: float) -> mx.array:
    """Experts (..., K, D) with weights (..., K) to (..., D)."""
    normed = _norm(experts * norm_weight.astype(experts.dtype), eps)
    return (normed * weights[..., None]).sum(axis=-2).astype(experts.dtype)


def qk_norm(
    qkvg: mx.array, *, n_heads: int, n_kv_heads: int, head_dim: int, eps: float, query_scale: float
) -> list[mx.array]:
    """Queries and keys (B, L, heads, D) out of the joint projection (B, L, …)."""
    ends = [n_heads * head_dim, (n_heads + n_kv_heads) * head_dim]
    queries, keys, _ = mx.split(qkvg, ends, axis=-1)
    queries, keys = (_norm(mx.unflatten(each, -1, (-1, head_dim)), eps) for each in (queries, keys))
    return [(queries * query_scale).astype(qkvg.dtype), keys.astype(qkvg.dtype)]


def qk_norm_rope(qkvg: mx.array, *, rope_base: float, offset: Any, **norm: Any) -> list[mx.array]:
    return [
        mx.fast.rope(
            each.swapaxes(1, 2), each.shape[-1], traditional=True, base=rope_base, scale=1.0, offset=offset
        ).swapaxes(1, 2)
        for each in qk_norm(qkvg, **norm)
    ]


def rms_norm_sigmoid_gate(x: mx.array, gate: mx.array, *, eps: float) -> mx.array:
    """Heads (B, H, L, D) and gate (B, L, H * D) to (B, L, H * D)."""
    return (mx.flatten(_norm(x, eps).swapaxes(1, 2), 2) * mx.sigmoid(gate.astype(mx.float32))).astype(x.dtype)


def _norm(x: mx.array, eps: float) -> mx.array:
    wide = x.astype(mx.float32)
    return wide * mx.rsqrt(mx.mean(wide * wide, axis=-1, keepdims=True) + eps)


KERNELS: dict[str, Callable[..., Any]] = {
    each.__name__: each
    for each in (
        expert_routing,
        norm_add_norm,
        post_expert_norm_combine,
        pre_norm,
        qk_norm,
        qk_norm_rope,
        rms_norm_sigmoid_gate,
    )
}

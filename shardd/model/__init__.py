"""What a checkpoint holds, and building any stage of any mlx-lm architecture.

On the controller: `checkpoint` reads a model directory's `headers`; `inventory` says what the model is and groups
its tensors into `units`, which travel as byte streams, with a `blueprint`.

On a node: `stage` loads a range of layers from units and the blueprint.

Both make the same `plan`: `build` the whole model lazily over `ghosts`, `trace` one dry run, and draw from it the
`flow` between layers. A stage then fills in its own weights, turns the layers that are elsewhere into `holes`, and
keeps one sequence's state in `caches`.
"""

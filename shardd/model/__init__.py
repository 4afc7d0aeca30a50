"""What a checkpoint holds, and building any stage of any mlx-lm architecture.

    headers     safetensors headers, read strictly
    checkpoint  a model directory: config.json and where each tensor lies
    units       embedding, layers, norm and head as byte streams
    inventory   what a model is: units, sizes, caches, cuts
    stage       a range of layers that computes
"""

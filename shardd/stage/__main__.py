"""`python -m shardd.stage`: the child process in which a stage lives. Started by the agent only."""

from shardd.model.light import import_mlx_lm_light

if __name__ == "__main__":
    import_mlx_lm_light()  # before anything can import mlx_lm

    from shardd.stage.process import main

    raise SystemExit(main())

"""Matplotlib, which is optional: figures of it, without pyplot, its windows and its state."""


def new_figure(width, height):
    """An empty matplotlib `Figure` of that many inches. Raises ImportError without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError('a plot needs matplotlib: pip install "minigrad[plots]"') from error
    return Figure(figsize=(width, height), layout="constrained")

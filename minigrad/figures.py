"""Matplotlib, which is optional: the one place that imports it. Figures are made without pyplot, its windows and state."""


def new_figure(width, height):
    """An empty matplotlib `Figure` of that many inches. Raises ImportError without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError('a plot needs matplotlib: pip install "minigrad[plots]"') from error
    return Figure(figsize=(width, height), layout="constrained")

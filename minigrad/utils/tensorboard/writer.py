"""`SummaryWriter`: tensorboardX's, which takes minigrad's tensors and draws minigrad's models."""

import functools

import tensorboardX
from tensorboardX.proto.attr_value_pb2 import AttrValue
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.graph_pb2 import GraphDef
from tensorboardX.proto.node_def_pb2 import NodeDef
from tensorboardX.proto.tensor_shape_pb2 import TensorShapeProto

from minigrad import Tensor

from .graph import nodes


def _takes_tensors(cls):
    """Let the methods that a writer inherits take tensors where they take arrays."""

    def converted(method):
        @functools.wraps(method)
        def call(*args, **kwargs):
            return method(*_arrays(args), **_arrays(kwargs))

        return call

    for name in dir(cls):
        if name.startswith("add_") and name not in vars(cls):
            setattr(cls, name, converted(getattr(cls, name)))
    return cls


def _arrays(value):
    """`value` with arrays in place of the tensors in it."""
    if isinstance(value, Tensor):
        return value.detach().cpu().numpy()
    if type(value) is dict:
        return {key: _arrays(each) for key, each in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(_arrays, value))
    return value


@_takes_tensors
class SummaryWriter(tensorboardX.SummaryWriter):
    """Writes numbers, images, texts and graphs to an event file that TensorBoard shows: `tensorboard --logdir runs`.

    Every method is tensorboardX's of that name (add_scalars, add_image, add_images, add_image_with_boxes, add_figure,
    add_histogram, add_text, add_embedding, add_pr_curve, add_mesh, add_video, add_audio, flush, close, ...) and takes
    tensors wherever that takes arrays. Where PyTorch's has other arguments, it is defined here.

    Args:
        log_dir: folder of the event file; runs/DATE_HOST, followed by `comment`, when None.
        comment: end of the default folder's name.
        purge_step: TensorBoard hides what an earlier run wrote of this step and later ones.
        max_queue: values that wait before they are written.
        flush_secs: seconds that they wait at most.
        filename_suffix: end of the file's name.

    PyTorch's `torch.utils.tensorboard.SummaryWriter`; https://github.com/lanpa/tensorboardX.

    >>> import tempfile, minigrad
    >>> with SummaryWriter(tempfile.mkdtemp()) as writer:
    ...     writer.add_scalar("loss", minigrad.tensor(0.5), global_step=1)
    ...     writer.add_graph(minigrad.nn.Linear(2, 3), minigrad.ones(1, 2))
    """

    def __init__(self, log_dir=None, comment="", purge_step=None, max_queue=10, flush_secs=120, filename_suffix=""):
        folder = None if log_dir is None else str(log_dir)
        super().__init__(folder, comment, purge_step, max_queue, flush_secs, filename_suffix)

    @property
    def log_dir(self):
        """The folder of the event file."""
        return self.logdir

    def get_logdir(self):
        """The folder of the event file."""
        return self.logdir

    def add_scalar(
        self, tag, scalar_value, global_step=None, walltime=None, new_style=False, double_precision=False
    ) -> None:
        """Write a number; `new_style` and `double_precision` are accepted for PyTorch's scripts and of no effect."""
        super().add_scalar(tag, _arrays(scalar_value), global_step, walltime)

    def add_hparams(
        self, hparam_dict, metric_dict, hparam_domain_discrete=None, run_name=None, global_step=None
    ) -> None:
        """Write hyperparameters and the metrics that they led to, in a folder `run_name` of their own below `log_dir`.

        `hparam_domain_discrete` is accepted for PyTorch's scripts and of no effect.
        """
        super().add_hparams(_arrays(hparam_dict), _arrays(metric_dict), run_name, global_step)

    def add_graph(self, model, input_to_model=None, verbose=False, use_strict_trace=True) -> None:
        """Write the graph of one call of `model` on `input_to_model`, a tensor or a tuple of the arguments.

        Nodes are named by the path of their module ("LeNet5/c1/Convolution"), so that TensorBoard nests them, and carry
        the shapes of their results and the formula of their derivative. The call is made in evaluation mode and leaves
        the model as it was. `verbose` prints the graph; `use_strict_trace` is accepted for PyTorch's scripts and of no
        effect.

        Raises ValueError without an input.
        """
        if input_to_model is None:
            raise ValueError("add_graph needs input_to_model\nhint: a batch of one is enough, or a tuple of arguments")
        graph = GraphDef(node=[_node(node) for node in nodes(model, input_to_model)])
        graph.versions.producer = 22  # of TensorFlow's graphs: any that TensorBoard reads
        if verbose:
            print(graph)
        self._get_file_writer().add_event(Event(graph_def=graph.SerializeToString()))


def _node(node):
    """A node as TensorBoard's message."""
    shapes = [TensorShapeProto(dim=[TensorShapeProto.Dim(size=size) for size in shape]) for shape in node.shapes]
    attributes = {"_output_shapes": AttrValue(list=AttrValue.ListValue(shape=shapes))}
    if node.formula:
        attributes["formula"] = AttrValue(s=node.formula.encode())
    return NodeDef(name=node.name, op=node.op, input=node.inputs, attr=attributes)

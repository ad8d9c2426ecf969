"""The Kullback-Leibler divergence of one distribution from another, by a table of pairs of classes."""

from minigrad.ops import functions
from minigrad.ops.registry import linalg

from .continuous import Beta, Exponential, Gamma, Laplace, LogNormal, Normal, Uniform
from .discrete import Bernoulli, Categorical, OneHotCategorical, Poisson
from .distribution import Independent
from .multivariate import Dirichlet, MultivariateNormal

_formulas: dict = {}


def register_kl(type_p, type_q):
    """A decorator: the function below it, of p and q, is the divergence of these classes (`torch.distributions`).

    >>> @register_kl(Poisson, Beta)
    ... def none(p, q):
    ...     return 0.0
    >>> kl_divergence(Poisson(1.0), Beta(1.0, 1.0))
    0.0
    """

    def offer(formula):
        _formulas[type_p, type_q] = formula
        return formula

    return offer


def kl_divergence(p, q):
    """∫ p log(p / q), of the shape of the batch; NotImplementedError for pairs without a formula.

    Source: `torch.distributions.kl_divergence`.

    >>> kl_divergence(Normal(1.0, 1.0), Normal(0.0, 1.0))
    tensor(0.5000)
    """
    for kind_p in type(p).__mro__:
        for kind_q in type(q).__mro__:
            if (kind_p, kind_q) in _formulas:
                return _formulas[kind_p, kind_q](p, q)
    raise NotImplementedError(
        f"No KL(p || q) is implemented for p type {type(p).__name__} and q type {type(q).__name__}"
    )


@register_kl(Normal, Normal)
def _normal(p, q):
    ratio = (p.scale / q.scale).pow(2)
    return 0.5 * (ratio + ((p.loc - q.loc) / q.scale).pow(2) - 1 - ratio.log())


_formulas[LogNormal, LogNormal] = _normal


@register_kl(Laplace, Laplace)
def _laplace(p, q):
    ratio, distance = p.scale / q.scale, (p.loc - q.loc).abs()
    return -ratio.log() + distance / q.scale + ratio * (-distance / p.scale).exp() - 1


@register_kl(Bernoulli, Bernoulli)
def _bernoulli(p, q):
    a, b = p.probs, q.probs
    xlogy = functions["xlogy"]
    return xlogy(a, a) - xlogy(a, b) + xlogy(1 - a, 1 - a) - xlogy(1 - a, 1 - b)


@register_kl(Categorical, Categorical)
def _categorical(p, q):
    return (p.probs * (p.logits - q.logits)).sum(-1)


@register_kl(OneHotCategorical, OneHotCategorical)
def _one_hot(p, q):
    return _categorical(p, q)


@register_kl(Poisson, Poisson)
def _poisson(p, q):
    return p.rate * (p.rate.log() - q.rate.log()) - (p.rate - q.rate)


@register_kl(Exponential, Exponential)
def _exponential(p, q):
    ratio = q.rate / p.rate
    return -ratio.log() + ratio - 1


@register_kl(Uniform, Uniform)
def _uniform(p, q):
    apart = (q.low > p.low) | (q.high < p.high)
    return ((q.high - q.low) / (p.high - p.low)).log().masked_fill(apart, float("inf"))


@register_kl(Gamma, Gamma)
def _gamma(p, q):
    a, b, lgamma = p.concentration, q.concentration, functions["lgamma"]
    return (
        b * (p.rate / q.rate).log() + lgamma(b) - lgamma(a) + (a - b) * functions["digamma"](a)
        + (q.rate - p.rate) * a / p.rate
    )  # fmt: skip


@register_kl(Beta, Beta)
def _beta(p, q):
    digamma = functions["digamma"]
    return (
        q._log_norm() - p._log_norm()
        + (p.concentration1 - q.concentration1) * digamma(p.concentration1)
        + (p.concentration0 - q.concentration0) * digamma(p.concentration0)
        + (q._total - p._total) * digamma(p._total)
    )  # fmt: skip


@register_kl(Dirichlet, Dirichlet)
def _dirichlet(p, q):
    a, b, lgamma, digamma = p.concentration, q.concentration, functions["lgamma"], functions["digamma"]
    total = a.sum(-1, True)
    constant = lgamma(total.squeeze(-1)) - lgamma(b.sum(-1)) - lgamma(a).sum(-1) + lgamma(b).sum(-1)
    return constant + ((a - b) * (digamma(a) - digamma(total))).sum(-1)


@register_kl(MultivariateNormal, MultivariateNormal)
def _multivariate_normal(p, q):
    solve = linalg["solve_triangular"]
    spread = solve(q.scale_tril, p.scale_tril, upper=False).square().sum((-2, -1))
    distance = solve(q.scale_tril, (q.loc - p.loc).unsqueeze(-1), upper=False).square().sum((-2, -1))
    return q._half_log_det() - p._half_log_det() + 0.5 * (spread + distance - p.event_shape[0])


@register_kl(Independent, Independent)
def _independent(p, q):
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise NotImplementedError
    return p._sum(kl_divergence(p.base_dist, q.base_dist))

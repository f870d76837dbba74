"""Writes known_answers.tsv: what SciPy and statsmodels answer, for the tests of statistics.rs. Run by hand:

    python3 -m venv /tmp/sci && /tmp/sci/bin/pip install scipy statsmodels
    /tmp/sci/bin/python known_answers.py > known_answers.tsv
"""
from scipy import integrate, stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint, proportions_ztest
import scipy, statsmodels, numpy

print(f"# scipy {scipy.__version__}, statsmodels {statsmodels.__version__}. function, arguments, answers; separated by tabs")

def line(name, arguments, *answers):
    print(name, " ".join(repr(float(a)) for a in arguments), " ".join(repr(float(a)) for a in answers), sep="\t")

for z in [-3, -1, 0, 0.5, 1.5, 1.96, 3.09, 4.75, 6, 8, 12]:
    line("normal_tail", [z], stats.norm.sf(z))
for p in [0.5, 0.05, 0.001, 1e-4, 1e-6, 1e-9, 0.9]:
    line("normal_quantile", [p], stats.norm.isf(p))
for t, df in [(0, 5), (1.5, 3), (3.09, 10), (3.09, 21), (4.75, 500), (6, 21), (-2, 7)]:
    line("student_tail", [t, df], stats.t.sf(t, df))
for x, n, p in [(0, 60, 0.05), (3, 60, 0.05), (9, 60, 0.05), (10, 60, 0.05), (60, 60, 0.05), (36, 210, 0.05),
                (20, 200, 0.05), (5, 200, 0.002), (500, 1000, 0.4), (1, 1, 0.25)]:
    line("binomial_tail", [x, n, p], stats.binom.sf(x - 1, n, p))
def varying(x, n, p, deviation, df):
    logit = numpy.log(p / (1 - p))
    tail = lambda z: stats.binom.sf(x - 1, n, 1 / (1 + numpy.exp(-(logit + deviation * z)))) * stats.t.pdf(z, df)
    return integrate.quad(tail, -40, 40, points=[-9, -3, 0, 2, 4, 6, 9], limit=2000, epsabs=0, epsrel=1e-9)[0]
for x, n, p, deviation, df in [(80, 200, 0.25, 0.1, 500), (160, 400, 0.25, 0.1, 500), (30, 210, 0.05, 0.3, 500), (500, 3000, 0.05, 0.3, 500),
                               (40, 800, 0.008, 0.2, 100), (150, 600, 0.25, 0.05, 21)]:
    line("varying_binomial_tail", [x, n, p, deviation, df], varying(x, n, p, deviation, df))
for mean, dispersion in [(27, 1.5), (27, 3), (5, 2), (100, 4), (0.5, 1.1)]:
    line("zero_probability", [mean, dispersion], stats.nbinom.pmf(0, mean / (dispersion - 1), 1 / dispersion))
for mean in [0, 1, 27]:
    line("zero_probability", [mean, 1], stats.poisson.pmf(0, mean))
for x, n in [(0, 10), (5, 200), (60, 200), (199, 200), (10, 10)]:
    line("wilson", [x, n], *proportion_confint(x, n, 0.05, method="wilson"))
for x1, n1, x0, n0 in [(80, 200, 200, 800), (30, 200, 100, 900), (5, 200, 8, 1600), (100, 200, 400, 800)]:
    line("two_proportions", [x1, n1, x0, n0], proportions_ztest([x1, x0], [n1, n0])[0])
# With groups of one size the factor is chi-square by its degrees of freedom.
for table in [[(30, 100), (40, 100), (20, 100), (35, 100)], [(5, 50), (9, 50)], [(50, 100), (50, 100), (50, 100)]]:
    hits = numpy.array(table, float)
    rows = numpy.column_stack([hits[:, 0], hits[:, 1] - hits[:, 0]])
    line("dispersion", hits.flatten(), stats.chi2_contingency(rows, correction=False)[0] / (len(table) - 1))
for rate, ps in [(0.05, [0.001, 0.008, 0.039, 0.041, 0.042, 0.06, 0.074, 0.205]), (0.05, [0.2, 0.3]), (0.1, [0.01, 0.02, 0.03, 0.9]),
                 (0.05, [0.04, 0.045, 0.05])]:
    reject = multipletests(ps, rate, method="fdr_bh")[0]
    line("benjamini_hochberg", [rate, *ps], sum(reject))

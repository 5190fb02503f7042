# Expected numbers of test_calibration.py, test_replicates.py and test_quantiles.py: R 4.2.2, survey 4.1.1.
# Run with `Rscript reference_weights.R`. The survey is made by whole-number arithmetic; made_survey.py makes the same.
suppressMessages(library(survey))
options(survey.lonely.psu = "fail", warn = -1)
show <- function(name, ...) cat(name, sprintf("%.17g", unlist(list(...))), "\n")
both <- function(name, m) show(name, coef(m), SE(m))

i <- 0:119
d <- data.frame(psu = (7 * i + (i^2) %/% 5) %% 18, w = 10 + (i * 37) %% 29, y = ((i * 53) %% 41) / 4,
                x = 15 + (i * 29) %% 47, g = (i * 5 + i %/% 7) %% 3, h = (i * 3 + i %/% 11) %% 2, one = 1)
d$stratum <- d$psu %% 4
d$N <- c(40, 36, 30, 50)[d$stratum + 1]
d$yes <- as.numeric((i * 11) %% 7 < 2)
des <- svydesign(id = ~psu, strata = ~stratum, weights = ~w, data = d)
fin <- svydesign(id = ~psu, strata = ~stratum, weights = ~w, data = d, fpc = ~N)
one <- svydesign(id = ~psu, weights = ~w, data = d)
G <- data.frame(g = 0:2, Freq = c(1100, 900, 1000)); H <- data.frame(h = 0:1, Freq = c(1400, 1600))
J <- data.frame(g = c(0, 1, 2, 0, 1, 2), h = c(0, 0, 0, 1, 1, 1), Freq = c(500, 450, 450, 600, 450, 550))

# calibration
post <- postStratify(des, ~g + h, J); both("poststratified", svymean(~y, post)); both("poststratified total", svytotal(~y, post))
both("raked as R", svymean(~y, rake(des, list(~g, ~h), list(G, H))))
tight <- rake(des, list(~g, ~h), list(G, H), control = list(maxit = 200, epsilon = 1e-13, verbose = FALSE))
both("raked, tight", svymean(~y, tight)); both("raked, tight, total", svytotal(~y, tight))
both("margins by calibrate", svymean(~y, calibrate(des, ~factor(g) + factor(h), c(`(Intercept)` = 3000, `factor(g)1` = 900, `factor(g)2` = 1000, `factor(h)1` = 1600), calfun = "raking", epsilon = 1e-12, maxit = 500)))
X <- c(`(Intercept)` = 3000, `factor(g)1` = 900, `factor(g)2` = 1000, x = 114000)
both("linear", svymean(~y, calibrate(des, ~factor(g) + x, X)))
cal <- function(name, ...) { k <- calibrate(des, ~factor(g) + x, X, epsilon = 1e-12, maxit = 500, ...); both(name, svymean(~y, k)); show("  range", range(weights(k) / d$w)) }
cal("bounded", calfun = "linear", bounds = c(0.78, 1.35)); cal("logit", calfun = "logit", bounds = c(0.7, 1.6)); cal("raking", calfun = "raking")

# replicates made
rep <- function(name, design, ...) { r <- as.svrepdesign(design, ...); both(name, svymean(~y, r)); both("  ratio", svyratio(~y, ~x, r)); both("  total", svytotal(~y, r)); show("  df", degf(r)) }
rep("JKn", des, type = "JKn"); rep("JKn fpc", fin, type = "JKn"); rep("JKn mse", des, type = "JKn", mse = TRUE); rep("JK1", one, type = "JK1")
rep("JK1 fpc", svydesign(id = ~psu, weights = ~w, data = cbind(d, M = 60), fpc = ~M), type = "JK1")
full <- d; full$N[full$stratum == 2] <- 3
rep("JKn one stratum in full", svydesign(id = ~psu, strata = ~stratum, weights = ~w, data = full, fpc = ~N), type = "JKn")
# epsilon as small as can be: R looks only at the full sample's table to see whether the replicates are there
jr <- rake(as.svrepdesign(des, type = "JKn"), list(~g, ~h), list(G, H), control = list(maxit = 500, epsilon = 1e-15, verbose = FALSE)); both("JKn raked", svymean(~y, jr)); both("  ratio", svyratio(~y, ~x, jr)); show("  df", degf(jr))
show("JKn covariance", vcov(svymean(~y + x, as.svrepdesign(des, type = "JKn"))))

# replicates given: survey's own example of ambulances, and factors by whole-number arithmetic
data(scd); half <- 2 * cbind(c(1, 0, 1, 0, 1, 0), c(1, 0, 0, 1, 0, 1), c(0, 1, 1, 0, 0, 1), c(0, 1, 0, 1, 1, 0))
show("scd arrests", scd$arrests); show("scd alive", scd$alive)
giv <- function(name, ...) { r <- svrepdesign(data = scd, weights = ~one, ...); both(name, svyratio(~alive, ~arrests, r)); show("  scale, df", r$scale, degf(r)); show("  covariance", vcov(svytotal(~alive + arrests, r))) }
scd$one <- 1:6
giv("BRR", type = "BRR", repweights = half, combined.weights = FALSE)
giv("Fay", type = "Fay", rho = 0.3, repweights = 0.7 * half + 0.3, combined.weights = FALSE)
k <- outer(0:5, 0:7, function(a, b) 0.5 + ((a * 5 + b * b * 3 + a * b) %% 11) / 10)
giv("bootstrap", type = "bootstrap", repweights = k * scd$one, combined.weights = TRUE)
giv("bootstrap mse", type = "bootstrap", repweights = k * scd$one, combined.weights = TRUE, mse = TRUE)
giv("SDR", type = "ACS", repweights = k * scd$one, combined.weights = TRUE)
giv("JK1", type = "JK1", repweights = (1 - diag(6)) * 6 / 5 * scd$one, combined.weights = TRUE)
giv("JKn", type = "JKn", repweights = 1 + kronecker(diag(3), matrix(c(-1, 1, 1, -1), 2)), combined.weights = FALSE)
giv("other", type = "other", repweights = k, combined.weights = FALSE, scale = 0.2, rscales = c(1, 2, 1, 2, 1, 2, 1, 0))

# quantiles
quant <- function(name, design, p, ...) { q <- svyquantile(~y, design, p, ...)[[1]]; show(name, q) }
for (p in c(0.1, 0.25, 0.5, 0.9)) for (t in c("mean", "beta", "xlogit")) quant(paste("quantile", p, t), des, p, interval.type = t)
for (r in c("math", "school", "hf7")) quant(paste("quantile 0.5", r), des, 0.5, qrule = r)
# without equal values, between which R's hf7 depends on the order of rows
for (p in c(0.25, 0.5, 0.9)) show(paste("hf7 without ties", p), svyquantile(~I(y + one * (0:119) / 1000), des, p, qrule = "hf7")[[1]])
for (k in 0:2) { s <- subset(des, g == k); m <- svymean(~I(y <= coef(svyquantile(~y, s, 0.5))), s); show(paste("share", k), coef(m)[2], SE(m)[2], degf(s), nrow(s)); quant(paste("median of g", k), s, 0.5) }
quant("median by JKn", as.svrepdesign(des, type = "JKn"), 0.5)
cat(R.version.string, "survey", as.character(packageVersion("survey")), "\n")

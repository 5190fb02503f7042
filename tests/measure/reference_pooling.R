# Expected numbers of test_pooling.py: R 4.2.2, metafor 3.8-1. `Rscript reference_pooling.R`, run in this folder, writes
# reference_pooling.csv. Cases: the 13 trials of BCG vaccine (metafor's dat.bcg, log risk ratios), eight members with a
# true spread of zero, three members, two members, and errors of very different size.
suppressMessages(library(metafor))
options(digits = 17, warn = 1)
bcg <- escalc(measure = "RR", ai = tpos, bi = tneg, ci = cpos, di = cneg, data = dat.bcg)
cases <- list(
  bcg = list(y = as.numeric(bcg$yi), v = as.numeric(bcg$vi)),
  alike = list(y = c(1.00, 1.02, 0.99, 1.01, 1.00, 0.98, 1.03, 1.01), v = c(4, 9, 16, 4, 25, 9, 4, 16) / 100),
  three = list(y = c(-0.5, 0.25, 1.5), v = c(0.04, 0.09, 0.25)),
  two = list(y = c(2, 5), v = c(0.25, 1)),
  unequal = list(y = c(10, 12.5, 9, 30, 11), v = c(0.0001, 4, 0.25, 100, 1e-6)),
  weak = list(y = c(0.3, 0.9, 0.1, 0.5, 1.2), v = c(0.09, 0.12, 0.1, 0.2, 0.15)))
out <- NULL
for (name in names(cases)) for (method in c("DL", "PM")) for (test in c("z", "knha", "adhoc")) {
  x <- cases[[name]]
  # metafor names the modification of Knapp and Hartung "adhoc"
  r <- rma(yi = x$y, vi = x$v, method = method, test = test, control = list(tol = 1e-12, maxiter = 1000))
  p <- predict(r)
  out <- rbind(out, data.frame(case = name, method = method, test = test, y = paste(sprintf("%.17g", x$y), collapse = " "),
    v = paste(sprintf("%.17g", x$v), collapse = " "), mean = as.numeric(r$beta), se = r$se, lower = r$ci.lb, upper = r$ci.ub,
    low = p$pi.lb, high = p$pi.ub, tau2 = r$tau2, q = r$QE, p = r$QEp, i2 = r$I2 / 100))
}
write.csv(out, "reference_pooling.csv", row.names = FALSE, quote = FALSE)

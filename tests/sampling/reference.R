# Expected numbers of test_design.py and test_contrasts.py: R 4.2.2, survey 4.1.1. `Rscript reference.R`, run in this folder,
# writes reference.csv, reference_contrasts.csv and reference_quantiles.csv. The survey is made by whole-number arithmetic;
# tests/small_survey.py makes the same.
suppressMessages(library(survey))
options(survey.lonely.psu = "fail", warn = -1, digits = 17)
i <- 0:239
d <- data.frame(psu = (7 * i + (i^2) %/% 5) %% 31, w = 10 + (i * 37) %% 29 + (i %% 7) / 8, y = ((i * 53) %% 41) / 4,
                den = 15 + (i * 29) %% 47, v = as.numeric((i * 11) %% 7 < 2), u = as.numeric((i * 17) %% 11 < 3), even = 12.5)
d$u[i %% 13 == 5] <- NA
d$z <- d$y
d$y[i %% 19 == 7] <- NA
d$sex <- c("F", "M")[(i * 5 + i %/% 9) %% 2 + 1]
d$age <- (d$psu * 3 + i %/% 60) %% 4
d$stratum <- d$psu %% 6
d$local <- d$psu %/% 6
d$region <- d$stratum %/% 2
d$house <- i %% 4
d$home <- d$psu * 10 + d$house
d$N1 <- c(40, 36, 30, 50, 44, 60)[d$stratum + 1]
d$N2 <- 6 + d$psu %% 5
d$f1 <- 0.1 + 0.05 * d$stratum
d$f2 <- 0.5 + 0.1 * (d$psu %% 3)
d$lone <- ifelse(d$psu == 3, 90, ifelse(d$psu == 11, 91, d$stratum))
sure <- d$psu %in% c(4, 8)
d$sure_stratum <- ifelse(sure, 100 + d$psu, d$stratum)
d$sure_psu <- ifelse(sure, 1000 + d$home, d$psu)

out <- NULL
row <- function(case, what, group, m, des) {
  e <- try(deff(m), silent = TRUE)
  e <- if (inherits(e, "try-error") || is.null(e)) NA else as.numeric(e)
  out <<- rbind(out, data.frame(case = case, what = what, group = group, value = as.numeric(coef(m)), se = as.numeric(SE(m)), deff = e, df = as.numeric(degf(des))))
}
group_rows <- function(case, group, g) {
  gu <- subset(g, !is.na(u)); gy <- subset(g, !is.na(y)); dd <- !inherits(g, "svyrep.design")
  row(case, "proportion v", group, svymean(~v, g, deff = dd), g)
  row(case, "proportion u", group, svymean(~u, g, na.rm = TRUE, deff = dd), gu)
  row(case, "mean y", group, svymean(~y, g, na.rm = TRUE, deff = dd), gy)
  row(case, "total v", group, svytotal(~v, g, deff = dd), g)
  row(case, "total y", group, svytotal(~y, g, na.rm = TRUE, deff = dd), gy)
  row(case, "ratio y/den", group, svyratio(~y, ~den, g, na.rm = TRUE, deff = dd), gy)
}
write_case <- function(case, des, deep = FALSE) {
  group_rows(case, "", des)
  for (s in c("F", "M")) group_rows(case, paste0("sex=", s), subset(des, sex == s))
  for (a in 0:3) group_rows(case, paste0("age=", a), subset(des, age == a))
  if (deep) {
    for (r in 0:2) group_rows(case, paste0("region=", r), subset(des, region == r))
    for (s in c("F", "M")) for (a in 0:3) group_rows(case, paste0("sex=", s, ";age=", a), subset(des, sex == s & age == a))
  }
}
des <- svydesign(id = ~psu, strata = ~stratum, weights = ~w, data = d)
write_case("simple", svydesign(id = ~1, weights = ~even, data = d))
write_case("weights", svydesign(id = ~1, weights = ~w, data = d))
write_case("strata", svydesign(id = ~1, strata = ~stratum, weights = ~w, data = d))
write_case("clusters", svydesign(id = ~psu, weights = ~w, data = d))
write_case("strata, clusters", des, deep = TRUE)
write_case("nested", svydesign(id = ~local, strata = ~stratum, weights = ~w, data = d, nest = TRUE))
write_case("fpc", svydesign(id = ~psu, strata = ~stratum, weights = ~w, fpc = ~N1, data = d))
write_case("shares", svydesign(id = ~psu, strata = ~stratum, weights = ~w, fpc = ~f1, data = d))
write_case("fpc, own weights", svydesign(id = ~psu, strata = ~stratum, fpc = ~N1, data = d))
two <- svydesign(id = ~psu + home, strata = ~stratum, weights = ~w, fpc = ~N1 + N2, data = d)
options(survey.lonely.psu = "adjust"); write_case("two stages, adjust", two, deep = TRUE)
options(survey.lonely.psu = "certainty"); write_case("two stages, certainty", two)
write_case("two stages, own weights", svydesign(id = ~psu + home, strata = ~stratum, fpc = ~N1 + N2, data = d))
write_case("two stages, shares", svydesign(id = ~psu + home, strata = ~stratum, weights = ~w, fpc = ~f1 + f2, data = d))
write_case("certainty", svydesign(id = ~sure_psu, strata = ~sure_stratum, weights = ~w, data = d))
lone <- svydesign(id = ~psu, strata = ~lone, weights = ~w, data = d)
for (rule in c("adjust", "average", "certainty", "remove")) { options(survey.lonely.psu = rule); write_case(paste("lonely", rule), lone, deep = rule == "average") }
options(survey.lonely.psu = "fail")

A <- data.frame(age = 0:3, Freq = c(1500, 1400, 1700, 1300)); S <- data.frame(sex = c("F", "M"), Freq = c(3100, 2800))
write_case("poststratified", postStratify(des, ~age, A), deep = TRUE)
# rake() takes residuals margin by margin, calibrate() on all margins at once: the latter is what the theory says
together <- calibrate(des, ~factor(age) + sex, c(`(Intercept)` = 5900, `factor(age)1` = 1400, `factor(age)2` = 1700, `factor(age)3` = 1300, sexM = 2800), calfun = "raking", epsilon = 1e-13, maxit = 500)
write_case("raked", together)
write_case("raked by rounds", rake(des, list(~age, ~sex), list(A, S)))
write_case("calibrated", calibrate(des, ~factor(age) + den, c(`(Intercept)` = 5900, `factor(age)1` = 1400, `factor(age)2` = 1700, `factor(age)3` = 1300, den = 224000)), deep = TRUE)
write_case("poststratified, fpc", postStratify(svydesign(id = ~psu, strata = ~stratum, weights = ~w, fpc = ~N1, data = d), ~age, A))
write_case("poststratified, two stages", { options(survey.lonely.psu = "adjust"); postStratify(two, ~age, A) })
options(survey.lonely.psu = "average"); write_case("poststratified, lonely average", postStratify(lone, ~age, A), deep = TRUE); options(survey.lonely.psu = "fail")
write_case("jkn", as.svrepdesign(des, type = "JKn"))
write_case("jk1", as.svrepdesign(svydesign(id = ~psu, weights = ~w, data = d), type = "JK1"))
write_case("jkn, poststratified", postStratify(as.svrepdesign(des, type = "JKn"), ~age, A))
k <- outer(i, 0:9, function(a, b) 0.5 + ((a * 5 + b * b * 3 + a * b) %% 11) / 10)
write_case("bootstrap", svrepdesign(data = d, weights = ~w, type = "bootstrap", repweights = k * d$w, combined.weights = TRUE))
half <- outer(i, 0:7, function(a, b) 2 * ((a %/% 2^(b %% 5) + b) %% 2))
write_case("brr", svrepdesign(data = d, weights = ~w, type = "BRR", repweights = half, combined.weights = FALSE))
write_case("fay", svrepdesign(data = d, weights = ~w, type = "Fay", rho = 0.3, repweights = 0.7 * half + 0.3, combined.weights = FALSE))
out$value <- sprintf("%.15g", out$value); out$se <- sprintf("%.15g", out$se); out$deff <- sprintf("%.15g", out$deff)
write.csv(out, "reference.csv", row.names = FALSE, quote = TRUE)

more <- NULL
# means of the four ages with their covariance; svyby() makes none of calibrated designs, so from the linearised means
means <- function(f, des) {
  b <- svyby(f, ~age, des, svymean, covmat = inherits(des, "svyrep.design"))
  if (inherits(des, "svyrep.design")) return(b)
  x <- des$variables[[all.vars(f)]]; k <- lapply(0:3, function(a) as.numeric(des$variables$age == a))
  linear <- sapply(1:4, function(j) k[[j]] * (x - coef(b)[j]) / sum(weights(des) * k[[j]]))
  v <- vcov(svytotal(linear, des)); dimnames(v) <- list(0:3, 0:3)
  structure(coef(b), var = v, class = "svystat")
}
pair <- function(case, what, des) {
  b <- means(if (what == "proportion v") ~v else ~z, des)
  for (a in 1:3) {
    difference <- svycontrast(b, setNames(c(1, -1), c(a, 0)))
    quotient <- svycontrast(b, parse(text = sprintf("`%d` / `0`", a))[[1]])
    more <<- rbind(more, data.frame(case = case, what = what, one = a, difference = as.numeric(coef(difference)), se = as.numeric(SE(difference)),
      ratio = as.numeric(coef(quotient)), ratio_se = as.numeric(SE(quotient)), covariance = vcov(b)[as.character(a), "0"]))
  }
}
designs <- list(`strata, clusters` = des, poststratified = postStratify(des, ~age, A), raked = together, jkn = as.svrepdesign(des, type = "JKn"))
for (name in names(designs)) for (what in c("proportion v", "mean z")) pair(name, what, designs[[name]])
options(survey.lonely.psu = "adjust"); pair("two stages, adjust", "mean z", two); pair("lonely adjust", "mean z", lone)
for (name in c("difference", "se", "ratio", "ratio_se", "covariance")) more[[name]] <- sprintf("%.15g", more[[name]])
write.csv(more, "reference_contrasts.csv", row.names = FALSE)

options(survey.lonely.psu = "fail")
quant <- NULL
for (q in c(0.25, 0.5, 0.9)) for (a in 0:3) {
  s <- subset(des, age == a & !is.na(y)); m <- svyquantile(~y, s, q, interval.type = "mean", qrule = "math")[[1]]
  quant <- rbind(quant, data.frame(q = q, age = a, value = m[1, 1], lower = m[1, 2], upper = m[1, 3], se = m[1, 4], df = degf(s)))
}
for (name in c("value", "lower", "upper", "se")) quant[[name]] <- sprintf("%.15g", quant[[name]])
write.csv(quant, "reference_quantiles.csv", row.names = FALSE)
cat(R.version.string, "survey", as.character(packageVersion("survey")), nrow(out), "\n")

# Expected numbers of test_changes.py: R 4.2.2, survey 4.1.1. `Rscript reference_changes.R`, run in this folder, writes
# reference_changes.csv. The survey is the one of tests/mini_survey.py: two waves, made by whole-number arithmetic.
suppressMessages(library(survey))
options(survey.lonely.psu = "fail", warn = -1, digits = 17)
i <- 0:319
d <- data.frame(wave = ifelse(i < 160, 2023, 2024), psu = (7 * i + i %/% 9) %% 10, w = 10 + (i * 37) %% 29 + (i %% 7) / 8)
d$stratum <- ifelse(d$psu %% 2 == 0, "N", "S")
d$sex <- ifelse(i %% 31 == 4, "_U", ifelse(i %% 2 == 0, "M", "F"))
d$phys <- as.numeric((i * 17) %% 11 < 3)
d$phys[i %% 23 == 5] <- NA
d$rob <- ifelse((i * 41) %% 29 < 3, 1 + i %% 3, 0)
d$safe <- as.numeric((i * 7) %% 4 < 2)
d$safe[i %% 19 == 7] <- NA
d$N <- ifelse(d$stratum == "N", 12, 9)
late <- d$wave == 2024

out <- NULL
row <- function(case, what, group, by, df) {
  v <- vcov(by)
  dif <- svycontrast(by, c(-1, 1))
  b <- coef(by)
  ratio_se <- (b[2] / b[1]) * sqrt(v[1, 1] / b[1]^2 + v[2, 2] / b[2]^2 - 2 * v[1, 2] / (b[1] * b[2]))
  out <<- rbind(out, data.frame(case = case, what = what, group = group, before = b[1], after = b[2], covariance = v[1, 2],
                                difference = as.numeric(coef(dif)), se = as.numeric(SE(dif)), ratio_se = ratio_se, df = df))
}
groups <- function(case, des) for (g in c("", "F", "M")) {
  part <- if (g == "") des else subset(des, sex == g)
  both <- subset(part, !is.na(phys))
  row(case, "phys", g, svyby(~phys, ~wave, both, svymean, covmat = TRUE), degf(both))
  row(case, "rob", g, svyby(~rob, ~wave, part, svymean, covmat = TRUE), degf(part))
  both <- subset(part, !is.na(safe))
  row(case, "safe", g, svyby(~safe, ~wave, both, svymean, covmat = TRUE), degf(both))
}
# the same PSUs in both waves
panel <- svydesign(id = ~psu, strata = ~stratum, weights = ~w, data = d)
groups("panel", panel)
groups("panel, fpc", svydesign(id = ~psu, strata = ~stratum, weights = ~w, fpc = ~N, data = d))
totals <- data.frame(sex = c("F", "M", "_U"), Freq = c(2000, 1900, 150))
both <- rbind(cbind(wave = 2023, totals), cbind(wave = 2024, totals))
tied <- postStratify(panel, ~wave + sex, both)
for (g in c("", "F", "M")) for (what in c("phys", "rob", "safe")) {  # svyby takes no part of a post-stratified design
  x <- d[[what]]
  there <- !is.na(x) & (g == "" | d$sex == g)
  x[!there] <- 0
  sums <- svytotal(~x1 + n1 + x2 + n2, update(tied, x1 = x * !late, n1 = there * !late, x2 = x * late, n2 = there * late))
  m <- svycontrast(sums, list(one = quote(x1 / n1), two = quote(x2 / n2)))
  dif <- svycontrast(sums, quote(x2 / n2 - x1 / n1)); r <- svycontrast(sums, quote((x2 / n2) / (x1 / n1)))
  out <- rbind(out, data.frame(case = "panel, margins", what = what, group = g, before = coef(m)[1], after = coef(m)[2], covariance = vcov(m)[1, 2],
                               difference = as.numeric(coef(dif)), se = as.numeric(SE(dif)), ratio_se = as.numeric(SE(r)), df = degf(panel)))
}
# other PSUs in the second wave
other <- transform(d, psu = psu + 100 * late, stratum = paste(stratum, wave))
groups("new units", svydesign(id = ~psu, strata = ~stratum, weights = ~w, data = other))
# the same PSUs in one stratum, others in the other
half <- transform(d, psu = psu + 100 * (late & stratum == "S"), stratum = ifelse(stratum == "S", paste(stratum, wave), stratum))
groups("half", svydesign(id = ~psu, strata = ~stratum, weights = ~w, data = half))
# a stratum of one PSU
for (rule in c("adjust", "average", "certainty")) {
  options(survey.lonely.psu = rule)
  groups(paste("lonely", rule), svydesign(id = ~psu, strata = ~stratum, weights = ~w, data = transform(d, stratum = ifelse(psu == 3, "L", stratum))))
}
out$case <- gsub(",", "", out$case)
write.csv(out, "reference_changes.csv", row.names = FALSE, quote = FALSE)

# Writes recorded.json: what glmnet and MASS make of R's own data set mtcars. Rscript recorded.R > recorded.json
suppressMessages({library(methods); library(MASS); library(glmnet)})
columns <- c("wt", "hp", "qsec", "drat")
X <- as.matrix(mtcars[, columns])
y <- mtcars$mpg
list_of <- function(numbers) paste(sprintf("%.17g", as.numeric(numbers)), collapse = ", ")
run <- function(library, options, coefficients) {
  sprintf(' {"library": "%s", "options": {%s}, "coefficients": [%s]}', library, options, list_of(coefficients))
}
by_glmnet <- function(lambda, alpha, standardize) {
  fitted <- glmnet(X, y, lambda = lambda, alpha = alpha, standardize = standardize, thresh = 1e-30, maxit = 1e8)
  options <- sprintf('"lambda_": %g, "alpha": %g, "standardize": "%s"', lambda, alpha, standardize)
  run("glmnet", options, coef(fitted))
}
by_lm_ridge <- function(lambda) {
  fitted <- lm.ridge(mpg ~ wt + hp + qsec + drat, mtcars, lambda = lambda)
  run("MASS.lm.ridge", sprintf('"lambda_": %g', lambda), coef(fitted))
}
runs <- c(
  by_glmnet(0.5, 1, FALSE), by_glmnet(0.5, 0.3, FALSE), by_glmnet(0.5, 0, FALSE),
  by_glmnet(0.5, 1, TRUE), by_glmnet(0.5, 0.3, TRUE), by_glmnet(0.5, 0, TRUE),
  by_lm_ridge(0.5), by_lm_ridge(3)
)
version <- function(package) as.character(packageVersion(package))
cat("{\n")
cat(sprintf('"versions": {"R": "%s", "glmnet": "%s", "MASS": "%s"},\n',
            paste(R.version$major, R.version$minor, sep = "."), version("glmnet"), version("MASS")))
cat(sprintf('"columns": [%s],\n', paste(sprintf('"%s"', columns), collapse = ", ")))
cat(sprintf('"X": [\n%s\n],\n', paste(apply(X, 1, function(row) sprintf(" [%s]", paste(row, collapse = ", "))), collapse = ",\n")))
cat(sprintf('"y": [%s],\n', paste(y, collapse = ", ")))
cat(sprintf('"runs": [\n%s\n]\n}\n', paste(runs, collapse = ",\n")))

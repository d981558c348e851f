/* What lies between the matrix products, each in one pass over memory: dropout,
 * residual sum and LayerNorm together, GELU; forward and backward, bf16 with fp32
 * arithmetic, for processors with AVX512-BF16.
 */
#include "common.h"

#define WORTH_THREADS 8192 /* numbers below which starting the threads costs more */

typedef struct {
  bf16 *x;              /* [rows, size]; becomes the sum that the norm saw */
  const bf16 *residual; /* [rows, size] */
  const float *weight, *bias;
  bf16 *y;
  float *mean, *rstd; /* [rows] */
  int64_t rows, size; /* size: a multiple of 32 */
  float eps;
  Drop drop;
} Norm;

typedef struct {
  const bf16 *grad, *more; /* their sum arrives; more may be NULL */
  const bf16 *summed;
  const float *weight, *mean, *rstd;
  bf16 *residual, *x; /* gradients; x is NULL where nothing was dropped: then they are one */
  int64_t rows, size;
  Drop drop;
} NormGradients;

void drop_forward(const bf16 *x, bf16 *y, int64_t rows, int64_t size, const Drop *drop) {
  const __m512 rescale = _mm512_set1_ps(1.0f / (1.0f - drop->rate));
#pragma omp parallel for schedule(static) if (rows * size > WORTH_THREADS)
  for (int64_t row = 0; row < rows; row++) {
    const Dice die = dice(drop->seed, 0, (uint32_t)row, drop->rate);
    for (int64_t c = 0; c < size; c += LANES) {
      const __mmask16 inside = first_lanes(size - c), keep = inside & kept(&die, (uint32_t)c);
      const int64_t at = row * size + c;
      store(y + at, inside, _mm512_mul_ps(widen(x + at, keep), rescale));
    }
  }
}

static void norm_row(const Norm *p, int64_t row) {
  const int64_t size = p->size, start = row * size;
  const __m512 rescale = _mm512_set1_ps(1.0f / (1.0f - p->drop.rate));
  const Dice die = dice(p->drop.seed, 0, (uint32_t)row, p->drop.rate);
  __m512 sum = _mm512_setzero_ps();
  for (int64_t c = 0; c < size; c += LANES) {
    const __mmask16 keep = p->drop.rate > 0 ? kept(&die, (uint32_t)c) : 0xFFFF;
    __m512 x = widen(p->x + start + c, keep);
    x = _mm512_fmadd_ps(x, rescale, widen(p->residual + start + c, 0xFFFF));
    store(p->x + start + c, 0xFFFF, x);
    /* The backward sees the rounded sum, so the statistics are of that. */
    sum = _mm512_add_ps(sum, widen(p->x + start + c, 0xFFFF));
  }
  const float mean = _mm512_reduce_add_ps(sum) / (float)size;
  __m512 squares = _mm512_setzero_ps();
  for (int64_t c = 0; c < size; c += LANES) {
    __m512 x = _mm512_sub_ps(widen(p->x + start + c, 0xFFFF), _mm512_set1_ps(mean));
    squares = _mm512_fmadd_ps(x, x, squares);
  }
  const float variance = _mm512_reduce_add_ps(squares) / (float)size;
  const float rstd = 1.0f / __builtin_sqrtf(variance + p->eps);
  for (int64_t c = 0; c < size; c += LANES) {
    __m512 x = _mm512_sub_ps(widen(p->x + start + c, 0xFFFF), _mm512_set1_ps(mean));
    x = _mm512_mul_ps(x, _mm512_set1_ps(rstd));
    x = _mm512_fmadd_ps(x, _mm512_loadu_ps(p->weight + c), _mm512_loadu_ps(p->bias + c));
    store(p->y + start + c, 0xFFFF, x);
  }
  p->mean[row] = mean;
  p->rstd[row] = rstd;
}

void norm_forward(const Norm *p) {
#pragma omp parallel for schedule(static) if (p->rows * p->size > WORTH_THREADS)
  for (int64_t row = 0; row < p->rows; row++) norm_row(p, row);
}

static inline __m512 arriving(const NormGradients *p, int64_t at) {
  __m512 grad = widen(p->grad + at, 0xFFFF);
  return p->more ? _mm512_add_ps(grad, widen(p->more + at, 0xFFFF)) : grad;
}

static void norm_row_backward(const NormGradients *p, int64_t row) {
  const int64_t size = p->size, start = row * size;
  const __m512 mean = _mm512_set1_ps(p->mean[row]), rstd = _mm512_set1_ps(p->rstd[row]);
  const __m512 rescale = _mm512_set1_ps(1.0f / (1.0f - p->drop.rate));
  __m512 sum = _mm512_setzero_ps(), along = _mm512_setzero_ps();
  for (int64_t c = 0; c < size; c += LANES) {
    __m512 grad = _mm512_mul_ps(arriving(p, start + c), _mm512_loadu_ps(p->weight + c));
    __m512 normed = _mm512_mul_ps(_mm512_sub_ps(widen(p->summed + start + c, 0xFFFF), mean), rstd);
    sum = _mm512_add_ps(sum, grad);
    along = _mm512_fmadd_ps(grad, normed, along);
  }
  const __m512 by_sum = _mm512_set1_ps(_mm512_reduce_add_ps(sum) / (float)size);
  const __m512 by_along = _mm512_set1_ps(_mm512_reduce_add_ps(along) / (float)size);
  const Dice die = dice(p->drop.seed, 0, (uint32_t)row, p->drop.rate);
  for (int64_t c = 0; c < size; c += LANES) {
    const int64_t at = start + c;
    __m512 grad = _mm512_mul_ps(arriving(p, at), _mm512_loadu_ps(p->weight + c));
    __m512 normed = _mm512_mul_ps(_mm512_sub_ps(widen(p->summed + at, 0xFFFF), mean), rstd);
    grad = _mm512_sub_ps(_mm512_sub_ps(grad, by_sum), _mm512_mul_ps(normed, by_along));
    grad = _mm512_mul_ps(grad, rstd);
    store(p->residual + at, 0xFFFF, grad);
    if (p->x)
      store(p->x + at, 0xFFFF, _mm512_maskz_mul_ps(kept(&die, (uint32_t)c), grad, rescale));
  }
}

void norm_backward(const NormGradients *p) {
#pragma omp parallel for schedule(static) if (p->rows * p->size > WORTH_THREADS)
  for (int64_t row = 0; row < p->rows; row++) norm_row_backward(p, row);
}

/* Normal distribution function of x, and exp(-x^2/2): Abramowitz and Stegun, Handbook of
 * Mathematical Functions, 7.1.26; off by at most 1e-4, which is what `exp2_ps` allows. */
static inline __m512 normal(__m512 x, __m512 *bell) {
  const __m512 one = _mm512_set1_ps(1.0f);
  const __m512 z = _mm512_mul_ps(_mm512_abs_ps(x), _mm512_set1_ps(0.70710678f));
  const __m512 denominator = _mm512_fmadd_ps(z, _mm512_set1_ps(0.3275911f), one);
  __m512 t = _mm512_rcp14_ps(denominator);
  t = _mm512_mul_ps(t, _mm512_fnmadd_ps(denominator, t, _mm512_set1_ps(2.0f)));
  /* Beyond 16 the bell is 0 in any case, and its square would overflow. */
  const __m512 near = _mm512_min_ps(z, _mm512_set1_ps(16.0f));
  *bell = exp2_ps(_mm512_mul_ps(_mm512_mul_ps(near, near), _mm512_set1_ps(-1.44269504f)));
  __m512 p = _mm512_set1_ps(1.061405429f);
  p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(-1.453152027f));
  p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(1.421413741f));
  p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(-0.284496736f));
  p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(0.254829592f));
  p = _mm512_mul_ps(_mm512_mul_ps(p, t), _mm512_mul_ps(*bell, _mm512_set1_ps(0.5f)));
  const __mmask16 positive = _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_GE_OQ);
  return _mm512_mask_sub_ps(p, positive, one, p);
}

void gelu_forward(const bf16 *x, bf16 *y, int64_t count) {
#pragma omp parallel for schedule(static) if (count > WORTH_THREADS)
  for (int64_t i = 0; i < count; i += LANES) {
    const __mmask16 inside = first_lanes(count - i);
    const __m512 value = widen(x + i, inside);
    __m512 bell;
    store(y + i, inside, _mm512_mul_ps(value, normal(value, &bell)));
  }
}

/* `grad` becomes the gradient of x. */
void gelu_backward(bf16 *grad, const bf16 *x, int64_t count) {
#pragma omp parallel for schedule(static) if (count > WORTH_THREADS)
  for (int64_t i = 0; i < count; i += LANES) {
    const __mmask16 inside = first_lanes(count - i);
    const __m512 value = widen(x + i, inside);
    __m512 bell;
    __m512 slope = normal(value, &bell);
    slope = _mm512_fmadd_ps(_mm512_mul_ps(value, bell), _mm512_set1_ps(0.39894228f), slope);
    store(grad + i, inside, _mm512_mul_ps(widen(grad + i, inside), slope));
  }
}

/* The low-rank update of a linear layer and its gradients, for bf16 rows with fp32 factors:
 * y += scale * dropout(x) A^T B^T. Its products are too thin for a general routine.
 */
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"

#define BLOCK 8 /* rows at a time: every sum is loaded and stored once for all of them */

typedef struct {
  const bf16 *x; /* [rows, in] */
  bf16 *y;       /* row r starts at r * y_stride */
  int64_t y_stride;
  const float *a, *b; /* [rank, in] and, transposed, [rank, out] */
  float *projected;   /* [rows, rank]: dropout(x) A^T */
  int64_t rows, in, out, rank;
  float scale;
  Drop drop;
} Update;

typedef struct {
  const bf16 *grad; /* of y: row r starts at r * stride */
  int64_t stride;
  float *a, *b; /* gradients: [rank, in], [rank, out] */
  bf16 *x;      /* [rows, in], added to; may be NULL */
} UpdateGradients;

static inline int64_t padded(int64_t n) { return (n + LANES - 1) / LANES * LANES; }

/* Widen a row, 0 beyond its end; what is dropped becomes 0, the rest is scaled up. */
static void widen_row(float *to, const bf16 *from, int64_t count, const Drop *drop, int64_t row) {
  const Dice die = dice(drop->seed, 0, (uint32_t)row, drop->rate);
  const __m512 rescale = _mm512_set1_ps(1.0f / (1.0f - drop->rate));
  for (int64_t c = 0; c < count; c += LANES) {
    __mmask16 mask = first_lanes(count - c);
    if (drop->rate > 0) mask &= kept(&die, (uint32_t)c);
    _mm512_storeu_ps(to + c, _mm512_mul_ps(widen(from + c, mask), rescale));
  }
}

static inline float dot(const float *x, const float *y, int64_t count) {
  __m512 sum = _mm512_setzero_ps();
  for (int64_t c = 0; c < count; c += LANES)
    sum = _mm512_fmadd_ps(_mm512_loadu_ps(x + c),
                          _mm512_maskz_loadu_ps(first_lanes(count - c), y + c), sum);
  return _mm512_reduce_add_ps(sum);
}

/* to[c] += sum over the block's rows of factor[row] * x[row][c] */
static void accumulate(float *to, const float *factors, const float *x, int64_t width,
                       int64_t count, int64_t rows) {
  for (int64_t c = 0; c < count; c += LANES) {
    const __mmask16 mask = first_lanes(count - c);
    __m512 sum = _mm512_maskz_loadu_ps(mask, to + c);
    for (int64_t r = 0; r < rows; r++)
      sum = _mm512_fmadd_ps(_mm512_set1_ps(factors[r]), _mm512_loadu_ps(x + r * width + c), sum);
    _mm512_mask_storeu_ps(to + c, mask, sum);
  }
}

/* to[c] += rescaled and kept sum over the ranks of factors[rank * BLOCK] * matrix[rank][c] */
static void add_row(bf16 *to, const float *factors, const float *matrix, int64_t count,
                    int64_t rank, const Drop *drop, int64_t row) {
  const Dice die = dice(drop->seed, 0, (uint32_t)row, drop->rate);
  const __m512 rescale = _mm512_set1_ps(1.0f / (1.0f - drop->rate));
  for (int64_t c = 0; c < count; c += LANES) {
    const __mmask16 mask = first_lanes(count - c);
    const __mmask16 keep = drop->rate > 0 ? mask & kept(&die, (uint32_t)c) : mask;
    __m512 sum = _mm512_setzero_ps();
    for (int64_t k = 0; k < rank; k++)
      sum = _mm512_fmadd_ps(_mm512_set1_ps(factors[k * BLOCK]),
                            _mm512_maskz_loadu_ps(mask, matrix + k * count + c), sum);
    sum = _mm512_maskz_mul_ps(keep, sum, rescale);
    store(to + c, mask, _mm512_add_ps(widen(to + c, mask), sum));
  }
}

static const Drop NONE = {0, 0.0f};

int lora_forward(const Update *p) {
  int failed = 0;
#pragma omp parallel
  {
    float *x = malloc((size_t)(padded(p->in) + p->rank * BLOCK) * sizeof *x);
    float *factors = x + padded(p->in);
    if (!x) failed = 1;
#pragma omp for schedule(static)
    for (int64_t row = 0; row < p->rows; row++) {
      if (!x) continue;
      widen_row(x, p->x + row * p->in, p->in, &p->drop, row);
      for (int64_t k = 0; k < p->rank; k++) {
        const float value = dot(x, p->a + k * p->in, p->in);
        p->projected[row * p->rank + k] = value;
        factors[k * BLOCK] = p->scale * value;
      }
      add_row(p->y + row * p->y_stride, factors, p->b, p->out, p->rank, &NONE, row);
    }
    free(x);
  }
  return failed;
}

/* The rows of one adapter among those of several: slices lie in the order of their rows. */
typedef struct {
  const float *a, *b; /* as in Update */
  int64_t first, rows, rank;
  float scale;
} Slice;

/* The same for several adapters, without dropout; nothing is kept for a backward. */
int lora_slices(const bf16 *x, bf16 *y, int64_t y_stride, int64_t in, int64_t out,
                const Slice *slices, int64_t count, int64_t max_rank) {
  const int64_t begin = slices[0].first, end = slices[count - 1].first + slices[count - 1].rows;
  int failed = 0;
#pragma omp parallel
  {
    float *wide = malloc((size_t)(padded(in) + max_rank * BLOCK) * sizeof *wide);
    float *factors = wide + padded(in);
    const Slice *s = slices;
    if (!wide) failed = 1;
#pragma omp for schedule(static)
    for (int64_t row = begin; row < end; row++) {
      if (!wide) continue;
      while (row >= s->first + s->rows) s++; /* a thread's rows rise */
      if (row < s->first) continue;          /* of an adapter that leaves this layer alone */
      widen_row(wide, x + row * in, in, &NONE, row);
      for (int64_t k = 0; k < s->rank; k++)
        factors[k * BLOCK] = s->scale * dot(wide, s->a + k * in, in);
      add_row(y + row * y_stride, factors, s->b, out, s->rank, &NONE, row);
    }
    free(wide);
  }
  return failed;
}

static void backward_block(const Update *p, const UpdateGradients *g, int64_t first, int64_t rows,
                           float *x, float *a, float *b) {
  const int64_t in = padded(p->in), out = padded(p->out), rank = p->rank;
  float *grad = x + BLOCK * in, *down = grad + BLOCK * out, *up = down + BLOCK * rank;
  for (int64_t r = 0; r < rows; r++) {
    const int64_t row = first + r;
    widen_row(x + r * in, p->x + row * p->in, p->in, &p->drop, row);
    widen_row(grad + r * out, g->grad + row * g->stride, p->out, &NONE, row);
    for (int64_t k = 0; k < rank; k++) {
      up[k * BLOCK + r] = p->scale * p->projected[row * rank + k];
      down[k * BLOCK + r] = p->scale * dot(grad + r * out, p->b + k * p->out, p->out);
    }
  }
  for (int64_t k = 0; k < rank; k++) {
    accumulate(a + k * p->in, down + k * BLOCK, x, in, p->in, rows);
    accumulate(b + k * p->out, up + k * BLOCK, grad, out, p->out, rows);
  }
  for (int64_t r = 0; g->x && r < rows; r++)
    add_row(g->x + (first + r) * p->in, down + r, p->a, p->in, rank, &p->drop, first + r);
}

/* Every thread sums up the same rows each time, and the sums are added in the order of the
 * threads: the same numbers come out of the same rows. */
int lora_backward(const Update *p, const UpdateGradients *g) {
  const int64_t sums = p->rank * (p->in + p->out);
  const int64_t own = sums + BLOCK * (padded(p->in) + padded(p->out) + 2 * p->rank);
  const int threads = omp_get_max_threads();
  float *all = calloc((size_t)(threads * own), sizeof *all);
  if (!all) return 1;
#pragma omp parallel num_threads(threads)
  {
    float *a = all + omp_get_thread_num() * own, *b = a + p->rank * p->in;
#pragma omp for schedule(static)
    for (int64_t first = 0; first < p->rows; first += BLOCK) {
      const int64_t rows = p->rows - first < BLOCK ? p->rows - first : BLOCK;
      backward_block(p, g, first, rows, a + sums, a, b);
    }
  }
  memset(g->a, 0, (size_t)(p->rank * p->in) * sizeof *g->a);
  memset(g->b, 0, (size_t)(p->rank * p->out) * sizeof *g->b);
  for (int thread = 0; thread < threads; thread++) {
    const float *a = all + thread * own, *b = a + p->rank * p->in;
    for (int64_t i = 0; i < p->rank * p->in; i++) g->a[i] += a[i];
    for (int64_t i = 0; i < p->rank * p->out; i++) g->b[i] += b[i];
  }
  free(all);
  return 0;
}

/* Self-attention within packed sequences, forward and backward, in bf16 with
 * fp32 sums, for processors with AVX512-BF16.
 *
 * One task is one head of one sequence. Scores never leave the core's cache:
 * the forward keeps one number a row (the base-2 logarithm of the softmax's
 * denominator), and the backward computes the weights from it anew, as in
 * Dao et al., FlashAttention, 2022.
 *
 * The dot-product instruction takes two neighbouring bf16 at a time. A matrix
 * is therefore packed either as pairs along its columns ("pairs": for X Y^T)
 * or as pairs of rows ("rows": for X Y).
 */
#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"

#define BLOCK 36 /* query rows at a time: whole tiles, and even, for pairs of rows */
#define ROWS 6   /* rows of one register tile of four vectors */

typedef struct {
  const bf16 *query, *key, *value; /* row r of head h starts at r * stride + h * size */
  int64_t query_stride, key_stride, value_stride;
  const int64_t *starts, *query_starts; /* [sequences + 1] */
  int64_t sequences, heads, size;
  float scale, dropout;
  uint64_t seed;
  bf16 *context; /* [query rows, heads * size] */
  float *logsum; /* [query rows, heads], base 2 */
} Problem;

typedef struct {
  const bf16 *grad; /* of the context */
  int64_t grad_stride;
  bf16 *query, *key, *value; /* gradients; key and value may be NULL */
  int64_t query_stride, key_stride, value_stride;
} Gradients;

static inline int64_t padded(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

/* to[p][j] = (from[j][2p], from[j][2p+1]), zero beyond n. */
static void pack_pairs(uint32_t *to, const bf16 *from, int64_t stride, int64_t n, int64_t width,
                       int64_t size) {
  const int64_t pairs = size / 2;
  for (int64_t j = 0; j < n; j++) {
    const uint32_t *row = (const uint32_t *)(from + j * stride);
    for (int64_t p = 0; p < pairs; p++) to[p * width + j] = row[p];
  }
  for (int64_t p = 0; p < pairs; p++)
    memset(to + p * width + n, 0, (size_t)(width - n) * sizeof *to);
}

/* to[j][c] = (from[2j][c], from[2j+1][c]), zero beyond n. */
static void pack_rows(uint32_t *to, const bf16 *from, int64_t stride, int64_t n, int64_t width,
                      int64_t size) {
  for (int64_t j = 0; j < width; j += 2) {
    const bf16 *low = from + j * stride, *high = low + stride;
    uint32_t *row = to + j / 2 * size;
    for (int64_t c = 0; c < size; c++) {
      uint32_t a = j < n ? low[c] : 0, b = j + 1 < n ? high[c] : 0;
      row[c] = a | b << 16;
    }
  }
}

/* out[r][0..vectors) = scale * x[r] . pairs, for one register tile. */
static inline __attribute__((always_inline)) void score_tile(
    float *out, int64_t width, const bf16 *x, int64_t stride, const uint32_t *pairs, int64_t count,
    __m512 scale, const int rows, const int vectors) {
  __m512 sum[ROWS][4];
  for (int r = 0; r < rows; r++)
    for (int v = 0; v < vectors; v++) sum[r][v] = _mm512_setzero_ps();
  for (int64_t p = 0; p < count; p++) {
    __m512i y[4];
    for (int v = 0; v < vectors; v++) y[v] = _mm512_loadu_si512(pairs + p * width + v * LANES);
    for (int r = 0; r < rows; r++) {
      uint32_t pair;
      memcpy(&pair, x + r * stride + 2 * p, sizeof pair);
      __m512bh left = (__m512bh)_mm512_set1_epi32((int)pair);
      for (int v = 0; v < vectors; v++)
        sum[r][v] = _mm512_dpbf16_ps(sum[r][v], left, (__m512bh)y[v]);
    }
  }
  for (int r = 0; r < rows; r++)
    for (int v = 0; v < vectors; v++)
      _mm512_storeu_ps(out + r * width + v * LANES, _mm512_mul_ps(sum[r][v], scale));
}

/* A tile's shape must be known to the compiler, so that its sums stay in registers. */
#define SHAPE(r, v) \
  case (r) * 8 + (v): SHAPED(r, v); break;
#define SHAPES(v) SHAPE(1, v) SHAPE(2, v) SHAPE(3, v) SHAPE(4, v) SHAPE(5, v) SHAPE(6, v)

/* out[r][0..width) = scale * x[r] . pairs, for rows of `size` numbers. */
static void scores(float *out, int64_t width, const bf16 *x, int64_t stride, int64_t rows,
                   const uint32_t *pairs, int64_t size, float factor) {
  const __m512 scale = _mm512_set1_ps(factor);
  for (int64_t j = 0; j < width; j += 4 * LANES) {
    const int64_t vectors = width - j < 4 * LANES ? (width - j) / LANES : 4;
    for (int64_t r = 0; r < rows; r += ROWS) {
      const int64_t height = rows - r < ROWS ? rows - r : ROWS;
#define SHAPED(h, v) \
  score_tile(out + r * width + j, width, x + r * stride, stride, pairs + j, size / 2, scale, h, v)
      switch (height * 8 + vectors) { SHAPES(1) SHAPES(2) SHAPES(3) SHAPES(4) }
#undef SHAPED
    }
  }
}

/* out[r][c] (+)= sum over t of x[t][r] . y[t][c], for one register tile: x holds pairs,
 * `row_step` apart by row and `term_step` by term; y holds pairs of rows, [terms][size]. */
static inline __attribute__((always_inline)) void product_tile(
    float *out, int64_t out_stride, const uint32_t *x, int64_t row_step, int64_t term_step,
    const uint32_t *y, int64_t terms, int64_t size, int accumulate, const int rows,
    const int vectors) {
  __m512 sum[2 * ROWS][4];
  for (int r = 0; r < rows; r++)
    for (int v = 0; v < vectors; v++)
      sum[r][v] = accumulate ? _mm512_loadu_ps(out + r * out_stride + v * LANES)
                             : _mm512_setzero_ps();
  for (int64_t t = 0; t < terms; t++) {
    __m512i right[4];
    for (int v = 0; v < vectors; v++) right[v] = _mm512_loadu_si512(y + t * size + v * LANES);
    for (int r = 0; r < rows; r++) {
      __m512bh left = (__m512bh)_mm512_set1_epi32((int)x[r * row_step + t * term_step]);
      for (int v = 0; v < vectors; v++)
        sum[r][v] = _mm512_dpbf16_ps(sum[r][v], left, (__m512bh)right[v]);
    }
  }
  for (int r = 0; r < rows; r++)
    for (int v = 0; v < vectors; v++)
      _mm512_storeu_ps(out + r * out_stride + v * LANES, sum[r][v]);
}

static void product(float *out, int64_t out_stride, const uint32_t *x, int64_t row_step,
                    int64_t term_step, int64_t rows, const uint32_t *y, int64_t terms,
                    int64_t size, int accumulate) {
  const int64_t vectors = size % (4 * LANES) ? 2 : 4, full = vectors == 2 ? 2 * ROWS : ROWS;
  for (int64_t c = 0; c < size; c += vectors * LANES)
    for (int64_t r = 0, height; r < rows; r += height) {
      height = rows - r >= full ? full : rows - r < ROWS ? rows - r : ROWS;
#define SHAPED(h, v)                                                                      \
  product_tile(out + r * out_stride + c, out_stride, x + r * row_step, row_step, term_step, y + c, \
               terms, size, accumulate, h, v)
      switch (height * 8 + vectors) { SHAPE(12, 2) SHAPES(2) SHAPES(4) }
#undef SHAPED
    }
}

static float *scratch(int64_t floats) {
  return aligned_alloc(64, (size_t)padded(floats * (int64_t)sizeof(float), 64));
}

static void forward_task(const Problem *p, int64_t sequence, int64_t head, float *space,
                         int64_t longest) {
  const int64_t size = p->size, n = p->starts[sequence + 1] - p->starts[sequence];
  const int64_t width = padded(n, LANES);
  const int64_t first = p->query_starts[sequence], rows = p->query_starts[sequence + 1] - first;
  const uint32_t task = (uint32_t)(sequence * p->heads + head);
  const float rescale = 1.0f / (1.0f - p->dropout);
  uint32_t *keys = (uint32_t *)space;
  uint32_t *values = keys + size / 2 * longest;
  float *s = (float *)(values + size / 2 * longest);
  uint32_t *weights = (uint32_t *)(s + BLOCK * longest);
  float *out = (float *)(weights + BLOCK * longest / 2);
  pack_pairs(keys, p->key + p->starts[sequence] * p->key_stride + head * size, p->key_stride, n,
             width, size);
  pack_rows(values, p->value + p->starts[sequence] * p->value_stride + head * size,
            p->value_stride, n, width, size);
  const __mmask16 tail = (__mmask16)(n % LANES ? (1u << n % LANES) - 1 : 0xFFFF);
  for (int64_t block = 0; block < rows; block += BLOCK) {
    const int64_t count = rows - block < BLOCK ? rows - block : BLOCK;
    const bf16 *query = p->query + (first + block) * p->query_stride + head * size;
    scores(s, width, query, p->query_stride, count, keys, size, p->scale * (float)M_LOG2E);
    float inverse[BLOCK];
    for (int64_t r = 0; r < count; r++) {
      float *row = s + r * width;
      bf16 *weight = (bf16 *)(weights + r * width / 2);
      const Dice die = dice(p->seed, task, (uint32_t)(block + r), p->dropout);
      __m512 top = _mm512_set1_ps(-INFINITY);
      for (int64_t j = 0; j < width; j += LANES) {
        __mmask16 inside = j + LANES <= n ? 0xFFFF : tail;
        top = _mm512_mask_max_ps(top, inside, top, _mm512_loadu_ps(row + j));
      }
      const float largest = _mm512_reduce_max_ps(top);
      __m512 sum = _mm512_setzero_ps();
      for (int64_t j = 0; j < width; j += LANES) {
        __mmask16 inside = j + LANES <= n ? 0xFFFF : tail;
        __m512 e = _mm512_maskz_mov_ps(
            inside, exp2_ps(_mm512_sub_ps(_mm512_loadu_ps(row + j), _mm512_set1_ps(largest))));
        sum = _mm512_add_ps(sum, e);
        if (p->dropout > 0) e = _mm512_maskz_mov_ps(kept(&die, (uint32_t)j), e);
        _mm256_storeu_si256((__m256i *)(weight + j), narrow(e));
      }
      const float total = _mm512_reduce_add_ps(sum);
      inverse[r] = rescale / total;
      if (p->logsum)
        p->logsum[(first + block + r) * p->heads + head] = largest + log2f(total);
    }
    product(out, size, weights, width / 2, 1, count, values, width / 2, size, 0);
    for (int64_t r = 0; r < count; r++) {
      bf16 *to = p->context + ((first + block + r) * p->heads + head) * size;
      for (int64_t c = 0; c < size; c += LANES)
        _mm256_storeu_si256(
            (__m256i *)(to + c),
            narrow(_mm512_mul_ps(_mm512_loadu_ps(out + r * size + c), _mm512_set1_ps(inverse[r]))));
    }
  }
}

/* Two rows of 16 numbers in bf16, the second above the first. */
static inline __m512i stack(__m512 low, __m512 high) {
  return (__m512i)_mm512_cvtne2ps_pbh(high, low);
}

/* The same as 16 pairs. */
static inline __m512i paired(__m512i stacked) {
  const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24,
                                         8, 23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  return _mm512_permutexvar_epi16(order, stacked);
}

static void write_bf16(bf16 *to, int64_t stride, const float *from, int64_t rows, int64_t size) {
  for (int64_t r = 0; r < rows; r++)
    for (int64_t c = 0; c < size; c += LANES)
      _mm256_storeu_si256((__m256i *)(to + r * stride + c),
                          narrow(_mm512_loadu_ps(from + r * size + c)));
}

static void backward_task(const Problem *p, const Gradients *g, int64_t sequence, int64_t head,
                          float *space, int64_t longest) {
  const int64_t size = p->size, n = p->starts[sequence + 1] - p->starts[sequence];
  const int64_t width = padded(n, LANES);
  const int64_t first = p->query_starts[sequence], rows = p->query_starts[sequence + 1] - first;
  const uint32_t task = (uint32_t)(sequence * p->heads + head);
  const float rescale = 1.0f / (1.0f - p->dropout);
  uint32_t *keys = (uint32_t *)space, *key_rows = keys + size / 2 * longest;
  uint32_t *values = key_rows + size / 2 * longest;
  float *key_sum = (float *)(values + size / 2 * longest), *value_sum = key_sum + size * longest;
  float *s = value_sum + size * longest, *d = s + BLOCK * longest;
  uint32_t *flat = (uint32_t *)(d + BLOCK * longest); /* score gradients by row */
  uint32_t *weight_pairs = flat + BLOCK * longest / 2;
  uint32_t *score_pairs = weight_pairs + BLOCK * longest / 2;
  uint32_t *query_rows = score_pairs + BLOCK * longest / 2;
  uint32_t *grad_rows = query_rows + BLOCK / 2 * size;
  float *out = (float *)(grad_rows + BLOCK / 2 * size);

  const bf16 *key = p->key + p->starts[sequence] * p->key_stride + head * size;
  pack_pairs(keys, key, p->key_stride, n, width, size);
  pack_rows(key_rows, key, p->key_stride, n, width, size);
  pack_pairs(values, p->value + p->starts[sequence] * p->value_stride + head * size,
             p->value_stride, n, width, size);
  memset(key_sum, 0, (size_t)(size * width) * sizeof *key_sum);
  memset(value_sum, 0, (size_t)(size * width) * sizeof *value_sum);
  const __mmask16 tail = (__mmask16)(n % LANES ? (1u << n % LANES) - 1 : 0xFFFF);

  for (int64_t block = 0; block < rows; block += BLOCK) {
    const int64_t count = rows - block < BLOCK ? rows - block : BLOCK;
    const int64_t even = padded(count, 2);
    const bf16 *query = p->query + (first + block) * p->query_stride + head * size;
    const bf16 *grad = g->grad + (first + block) * g->grad_stride + head * size;
    scores(s, width, query, p->query_stride, count, keys, size, p->scale * (float)M_LOG2E);
    scores(d, width, grad, g->grad_stride, count, values, size, rescale);
    pack_rows(query_rows, query, p->query_stride, count, even, size);
    pack_rows(grad_rows, grad, g->grad_stride, count, even, size);
    for (int64_t r = 0; r < even; r += 2) {
      __m512 logsum[2], delta[2];
      Dice die[2];
      for (int64_t k = 0; k < 2; k++) {
        const int64_t row = r + k;
        die[k] = dice(p->seed, task, (uint32_t)(block + row), p->dropout);
        logsum[k] = delta[k] = _mm512_setzero_ps();
        if (row >= count) continue;
        logsum[k] = _mm512_set1_ps(p->logsum[(first + block + row) * p->heads + head]);
        const bf16 *context = p->context + ((first + block + row) * p->heads + head) * size;
        __m512 sum = _mm512_setzero_ps();
        for (int64_t c = 0; c < size; c += LANES)
          sum = _mm512_fmadd_ps(widen(context + c, 0xFFFF),
                                widen(grad + row * g->grad_stride + c, 0xFFFF), sum);
        delta[k] = _mm512_set1_ps(_mm512_reduce_add_ps(sum));
      }
      const __m512 scale = _mm512_set1_ps(p->scale);
      for (int64_t j = 0; j < width; j += LANES) {
        const __mmask16 inside = j + LANES <= n ? 0xFFFF : tail;
        __m512 weight[2], score[2];
        for (int64_t k = 0; k < 2; k++) {
          const int64_t row = r + k;
          weight[k] = score[k] = _mm512_setzero_ps();
          if (row >= count) continue;
          __m512 e = exp2_ps(_mm512_sub_ps(_mm512_loadu_ps(s + row * width + j), logsum[k]));
          e = _mm512_maskz_mov_ps(inside, e);
          __m512 upstream = _mm512_loadu_ps(d + row * width + j);
          weight[k] = e;
          if (p->dropout > 0) {
            const __mmask16 mask = kept(&die[k], (uint32_t)j);
            weight[k] = _mm512_maskz_mul_ps(mask, e, _mm512_set1_ps(rescale));
            upstream = _mm512_maskz_mov_ps(mask, upstream);
          }
          score[k] = _mm512_mul_ps(_mm512_mul_ps(e, scale), _mm512_sub_ps(upstream, delta[k]));
        }
        const __m512i both = stack(score[0], score[1]);
        bf16 *row = (bf16 *)(flat + r * width / 2) + j;
        _mm256_storeu_si256((__m256i *)row, _mm512_castsi512_si256(both));
        _mm256_storeu_si256((__m256i *)(row + width), _mm512_extracti64x4_epi64(both, 1));
        _mm512_storeu_si512(score_pairs + r / 2 * width + j, paired(both));
        _mm512_storeu_si512(weight_pairs + r / 2 * width + j, paired(stack(weight[0], weight[1])));
      }
    }
    product(out, size, flat, width / 2, 1, count, key_rows, width / 2, size, 0);
    write_bf16(g->query + (first + block) * g->query_stride + head * size, g->query_stride, out,
               count, size);
    if (g->key) product(key_sum, size, score_pairs, 1, width, n, query_rows, even / 2, size, 1);
    if (g->value) product(value_sum, size, weight_pairs, 1, width, n, grad_rows, even / 2, size, 1);
  }
  if (g->key)
    write_bf16(g->key + p->starts[sequence] * g->key_stride + head * size, g->key_stride, key_sum,
               n, size);
  if (g->value)
    write_bf16(g->value + p->starts[sequence] * g->value_stride + head * size, g->value_stride,
               value_sum, n, size);
}

static int64_t longest_of(const Problem *p) {
  int64_t longest = 0;
  for (int64_t s = 0; s < p->sequences; s++) {
    const int64_t n = padded(p->starts[s + 1] - p->starts[s], LANES);
    if (n > longest) longest = n;
  }
  return longest;
}

/* Returns 0, or 1 where memory ran out. */
int attention_forward(const Problem *p) {
  const int64_t longest = longest_of(p), tasks = p->sequences * p->heads;
  int failed = 0;
#pragma omp parallel
  {
    float *space = scratch(longest * (p->size + BLOCK + BLOCK / 2) + BLOCK * p->size);
    if (!space) failed = 1;
#pragma omp for schedule(dynamic)
    for (int64_t task = 0; task < tasks; task++)
      if (space) forward_task(p, task / p->heads, task % p->heads, space, longest);
    free(space);
  }
  return failed;
}

int attention_backward(const Problem *p, const Gradients *g) {
  const int64_t longest = longest_of(p), tasks = p->sequences * p->heads;
  int failed = 0;
#pragma omp parallel
  {
    float *space = scratch(longest * (p->size / 2 * 3 + 2 * p->size + 2 * BLOCK + BLOCK * 3 / 2) +
                           2 * BLOCK * p->size);
    if (!space) failed = 1;
#pragma omp for schedule(dynamic)
    for (int64_t task = 0; task < tasks; task++)
      if (space) backward_task(p, g, task / p->heads, task % p->heads, space, longest);
    free(space);
  }
  return failed;
}

/* What the kernels share: bf16 in memory, fp32 in registers. */
#ifndef TEXTLORA_COMMON_H
#define TEXTLORA_COMMON_H

#include <immintrin.h>
#include <stdint.h>

typedef uint16_t bf16;

#define LANES 16

static inline __m512 widen(const bf16 *from, __mmask16 mask) {
  __m256i half = _mm256_maskz_loadu_epi16(mask, from);
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}

static inline __m256i narrow(__m512 x) { return (__m256i)_mm512_cvtneps_pbh(x); }

static inline __mmask16 first_lanes(int64_t count) {
  return count >= LANES ? 0xFFFF : count <= 0 ? 0 : (__mmask16)((1u << count) - 1);
}

static inline void store(bf16 *to, __mmask16 mask, __m512 x) {
  _mm256_mask_storeu_epi16(to, mask, narrow(x));
}

/* 2^x for x <= 0, off by at most 1e-4 of itself, a twentieth of what bf16 rounds: a polynomial
 * on [-1/2, 1/2] and a shift of the exponent. */
static inline __m512 exp2_ps(__m512 x) {
  __m512 whole = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  __m512 f = _mm512_sub_ps(x, whole);
  __m512 p = _mm512_set1_ps(5.5171376e-2f);
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(2.4261121e-1f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(6.9326103e-1f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(9.9992807e-1f));
  return _mm512_scalef_ps(p, whole);
}

typedef struct {
  uint64_t seed;
  float rate; /* 0: nothing is dropped */
} Drop;

/* Where dropout decides: a row of numbers, a seed, and from which 16 bits on a number is kept.
 * Decisions are made from the place, so that a backward repeats them without a mask in memory. */
typedef struct {
  __m256i place, key;
  __m256i threshold;
} Dice;

static inline Dice dice(uint64_t seed, uint32_t task, uint32_t row, float rate) {
  const uint32_t level = (uint32_t)(rate * 65536.0f + 0.5f);
  Dice d;
  d.key = _mm256_set1_epi64x((long long)seed);
  /* The constants (digits of pi) keep the words of a place apart: AES does not tell a block whose
   * halves are alike from the same block turned by half, and two rows would share decisions. */
  d.place = _mm256_setr_epi32(0x243F6A88, (int)row, (int)task, (int)0x85A308D3, 0x13198A2E,
                              (int)row, (int)task, 0x03707344);
  d.threshold = _mm256_set1_epi16((short)(level < 65535 ? level : 65535));
  return d;
}

/* Which of 16 neighbours are kept. Three rounds of AES mix place and seed, as in the counter-based
 * generators of Salmon et al., Parallel Random Numbers: As Easy as 1, 2, 3, 2011. */
static inline __mmask16 kept(const Dice *d, uint32_t column) {
  __m256i x = _mm256_xor_si256(d->place, _mm256_set1_epi32((int)(column * 0x9E3779B1u)));
  x = _mm256_xor_si256(x, d->key);
  x = _mm256_aesenc_epi128(x, d->key);
  x = _mm256_aesenc_epi128(x, d->place);
  x = _mm256_aesenc_epi128(x, d->key);
  return _mm256_cmpge_epu16_mask(x, d->threshold);
}

#endif

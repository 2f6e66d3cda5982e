/* SPDX-License-Identifier: BSD-3-Clause */
/* Compiler attributes by neutral names; the only place that spells them. */
#ifndef HAL_BASE_COMPILER_H
#define HAL_BASE_COMPILER_H

#define HAL_MUST_CHECK __attribute__((warn_unused_result))
#define HAL_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define HAL_NORETURN __attribute__((noreturn))
#define HAL_VECTOR(bytes) __attribute__((vector_size(bytes)))
#define HAL_ALWAYS_INLINE inline __attribute__((always_inline))
#define HAL_LIKELY(x) __builtin_expect(!!(x), 1)
#define HAL_UNLIKELY(x) __builtin_expect(!!(x), 0)

/** True when the invariant `cond` is broken ("bug if cond"): traps in a dev build, lets the caller
 *  return HAL_E_INTERNAL in a release build. */
#ifdef HAL_DEV
#define HAL_BUG(cond) (HAL_UNLIKELY(cond) ? (__builtin_trap(), 1) : 0)
#else
#define HAL_BUG(cond) HAL_UNLIKELY(cond)
#endif

#endif

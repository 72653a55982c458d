/* The work itself, for one width of vector registers: `_kernels.c` includes this once for every width, with
 * WIDTH (floats in a register), ROWS and COLUMNS (of the tile that is summed in registers, COLUMNS in
 * registers), NARROW (the rows of a tile one register wide), TARGET (the instructions it may use) and NAME()
 * defined.
 *
 * Every output of a layer is one sum that starts at its bias and takes the inputs in order, by fused
 * multiply-adds where the processor has them. No number of rows, tile or register changes that order:
 * neither companions nor batches change a bit.
 */

typedef float NAME(floats) __attribute__((vector_size(WIDTH * 4), aligned(4), may_alias));
typedef int32_t NAME(ints) __attribute__((vector_size(WIDTH * 4), aligned(4), may_alias));
#define floats NAME(floats)
#define ints NAME(ints)
#define INLINE TARGET static inline __attribute__((always_inline))
#define AT(pointer) (*(floats *)(pointer))
#define CHOOSE(where, yes, no) ((floats)(((where) & (ints)(yes)) | (~(where) & (ints)(no))))
#define UNROLL _Pragma("GCC unroll 16")

/* c[rows, columns] = start + a[rows, depth] b[depth, columns]: `columns` registers wide, `start` one row or none. */
INLINE void NAME(tile)(
    const int rows, const int columns, long depth, const float *a, long a_row, long a_column, const float *b,
    long b_row, const float *start, float *c, long c_row) {
    floats sum[NARROW][COLUMNS];
    UNROLL for (int j = 0; j < columns; j++) {
        const floats first = start ? AT(start + j * WIDTH) : (floats){0};
        UNROLL for (int i = 0; i < rows; i++) sum[i][j] = first;
    }
    for (long k = 0; k < depth; k++) {
        UNROLL for (int i = 0; i < rows; i++) {
            const float scale = a[i * a_row + k * a_column];
            UNROLL for (int j = 0; j < columns; j++) sum[i][j] += scale * AT(b + k * b_row + j * WIDTH);
        }
    }
    UNROLL for (int i = 0; i < rows; i++) {
        UNROLL for (int j = 0; j < columns; j++) AT(c + i * c_row + j * WIDTH) = sum[i][j];
    }
}

INLINE void NAME(columns)(
    const int tall, const int columns, long rows, long depth, const float *a, long a_row, long a_column,
    const float *b, long b_row, const float *start, float *c, long c_row, ahead_t *ahead) {
#define TILE(n) NAME(tile)(n, columns, depth, a + i * a_row, a_row, a_column, b, b_row, start, c + i * c_row, c_row)
    long i = 0;
    for (; i + tall <= rows; i += tall) {
        for (long k = 0; k + 4 <= depth && ahead->from < ahead->to; k += 4, ahead->from += 64)
            __builtin_prefetch(ahead->from, 0, 2); /* no more at once than memory delivers during the tile */
        TILE(tall);
    }
    for (; i + tall / 2 <= rows; i += tall / 2) TILE(tall / 2);
    for (; i < rows; i++) TILE(1);
#undef TILE
}

/* c[rows, width] = start + a[rows, depth] b[depth, width]; `width` is a multiple of 16. Columns of b that many
 * rows need are first copied together into `panel` (depth * COLUMNS * WIDTH floats), as are those of a
 * transposed b (b_row 1), of which only the first `held` exist. */
TARGET static void NAME(product)(
    long rows, long depth, long width, const float *a, long a_row, long a_column, const float *b, long b_row,
    long b_column, long held, const float *start, float *c, long c_row, float *panel, ahead_t *ahead) {
    for (long j = 0, step; j < width; j += step) {
        step = j + COLUMNS * WIDTH <= width ? COLUMNS * WIDTH : WIDTH;
        const float *from = b + j * b_column;
        long from_row = b_row;
        if (b_column != 1) {
            for (long x = 0; x < step; x++)
                for (long k = 0; k < depth; k++)
                    panel[k * step + x] = j + x < held ? from[k * b_row + x * b_column] : 0.0f;
            from = panel, from_row = step;
        } else if (rows > 4 * NARROW) {
            for (long k = 0; k < depth; k++) memcpy(panel + k * step, from + k * b_row, step * sizeof(float));
            from = panel, from_row = step;
        }
        const float *bias = start ? start + j : NULL;
        if (step == WIDTH)
            NAME(columns)(NARROW, 1, rows, depth, a, a_row, a_column, from, from_row, bias, c + j, c_row, ahead);
        else
            NAME(columns)(ROWS, COLUMNS, rows, depth, a, a_row, a_column, from, from_row, bias, c + j, c_row, ahead);
    }
}

/* exp(x) for 0 <= x <= 20: 2^n times a polynomial of the rest (S. L. Moshier, Cephes, expf). */
INLINE floats NAME(exponential)(floats x) {
    const float shift = 12582912.0f; /* 1.5 * 2^23: adding it leaves the nearest integer in the last bits */
    const floats n = (x * 1.44269504088896341f + shift) - shift;
    const floats r = x - n * 0.693359375f + n * 2.12194440e-4f;
    floats p = r * 1.9875691500e-4f + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    const ints power = (__builtin_convertvector(n, ints) + 127) << 23;
    return p * (floats)power; /* NaN stays NaN, whatever `power` became */
}

/* tanh(x), to about 3e-7 of its size: a polynomial near 0, 1 - 2 / (exp(2x) + 1) elsewhere (Cephes, tanhf). */
INLINE floats NAME(hyperbolic)(floats x) {
    const ints sign = (ints)x & INT32_MIN;
    const floats size = (floats)((ints)x & INT32_MAX), square = x * x;
    floats p = square * -5.70498872745e-3f + 2.06390887954e-2f;
    p = p * square - 5.37397155531e-2f;
    p = p * square + 1.33314422036e-1f;
    p = p * square - 3.33332819422e-1f;
    const floats near = p * square * x + x;
    const floats within = CHOOSE(size > 9.5f, (floats){0} + 9.5f, size);
    const floats far = 1.0f - 2.0f / (NAME(exponential)(within + within) + 1.0f);
    return CHOOSE(size < 0.625f, near, (floats)((ints)far | sign));
}

TARGET static void NAME(activate)(int activation, long count, float *x) {
    if (activation == RELU)
        for (long i = 0; i < count; i += WIDTH) AT(x + i) = CHOOSE(AT(x + i) < 0.0f, (floats){0}, AT(x + i));
    if (activation == TANH)
        for (long i = 0; i < count; i += WIDTH) AT(x + i) = NAME(hyperbolic)(AT(x + i));
}

/* The gradient before an activation, from that behind it and what it gave. */
TARGET static void NAME(deactivate)(int activation, long count, const float *out, float *gradient) {
    for (long i = 0; i < count && activation != NONE; i += WIDTH) {
        const floats y = AT(out + i), g = AT(gradient + i);
        if (activation == RELU)
            AT(gradient + i) = CHOOSE(y <= 0.0f, (floats){0}, g);
        else
            AT(gradient + i) = g * (1.0f - y * y);
    }
}

/* With `spare`, two buffers of `wide` floats a row, only the last layer's outputs are held. */
TARGET static void NAME(forward)(
    long layers, const layer_t *layer, const float *weights, const float *x, long seed, long seeds, long rows,
    float *held, float *spare, long wide, float *panel, ahead_t ahead) {
    long depth = layer[0].inputs;
    for (long l = 0; l < layers; l++) {
        const long width = layer[l].width;
        const int is_held = !spare || l + 1 == layers;
        float *out = is_held ? held + seed * rows * width : spare + l % 2 * rows * wide;
        NAME(product)(rows, depth, width, x, depth, 1, weights + layer[l].weight, width, 1, width,
                      weights + layer[l].bias, out, width, panel, &ahead);
        NAME(activate)(layer[l].activation, rows * width, out);
        x = out, depth = width;
        if (is_held) held += seeds * rows * width;
    }
}

/* `gradient` holds that of the last layer's outputs, and `other` is as large. */
TARGET static void NAME(backward)(
    long layers, const layer_t *layer, const float *weights, float *gradients, const float *x, long seed, long seeds,
    long rows, const float *held, float *gradient, float *other, float *inputs, float *panel, ahead_t ahead) {
    for (long l = 0; l < layers; l++) held += seeds * rows * layer[l].width;
    ahead_t outputs = {0}; /* those of the next seed, which is the one before; `ahead` is its weights */
    for (long l = layers - 1; l >= 0; l--) {
        const long width = layer[l].width, depth = layer[l].inputs;
        held -= seeds * rows * width;
        const float *given = l ? held - (seeds - seed) * rows * depth : x;
        float *bias = gradients + layer[l].bias;
        if (l) outputs = (ahead_t){(const char *)(given - (seed > 0) * rows * depth), (const char *)given};
        NAME(deactivate)(layer[l].activation, rows * width, held + seed * rows * width, gradient);
        NAME(product)(depth, rows, width, given, 1, depth, gradient, width, 1, width, NULL,
                      gradients + layer[l].weight, width, panel, &outputs);
        for (long j = 0; j < width; j += WIDTH) {
            floats sum = {0};
            for (long i = 0; i < rows; i++) sum += AT(gradient + i * width + j);
            AT(bias + j) = sum;
        }
        float *to = l ? other : inputs;
        if (to) NAME(product)(rows, width, PADDED(depth), gradient, width, 1, weights + layer[l].weight, 1, width, depth,
                              NULL, to, PADDED(depth), panel, &ahead);
        other = gradient, gradient = to;
    }
}

/* The norm of `gradient`, which is scaled to at most `most` (as torch.nn.utils.clip_grad_norm_ does it). */
TARGET static float NAME(clip)(long count, float *gradient, float most) {
    float sum[16] = {0}; /* whatever the width: the same order on every processor */
    for (long i = 0; i < count; i += 16)
        for (int j = 0; j < 16; j++) sum[j] += gradient[i + j] * gradient[i + j];
    for (int half = 8; half; half /= 2)
        for (int j = 0; j < half; j++) sum[j] += sum[j + half];
    const float norm = sqrtf(sum[0]), scale = most / (norm + 1e-6f);
    if (!(scale >= 1.0f))
        for (long i = 0; i < count; i++) gradient[i] *= scale;
    return norm;
}

/* Kingma and Ba (2015), algorithm 1, with `step` and `correction` made of the bias corrections. */
TARGET static void NAME(adam)(
    long count, float *restrict value, const float *restrict gradient, float *restrict mean, float *restrict square,
    float step, float correction, float beta1, float beta2, float epsilon) {
    for (long i = 0; i < count; i++) {
        const float g = gradient[i];
        mean[i] += (g - mean[i]) * (1.0f - beta1);
        square[i] = square[i] * beta2 + g * g * (1.0f - beta2);
        value[i] -= step * mean[i] / (sqrtf(square[i]) * correction + epsilon);
    }
}

/* Tieleman and Hinton (2012), not centred. */
TARGET static void NAME(rmsprop)(
    long count, float *restrict value, const float *restrict gradient, float *restrict square, float step,
    float alpha, float epsilon) {
    for (long i = 0; i < count; i++) {
        const float g = gradient[i];
        square[i] = square[i] * alpha + g * g * (1.0f - alpha);
        value[i] -= step * g / (sqrtf(square[i]) + epsilon);
    }
}

#undef floats
#undef ints
#undef INLINE
#undef AT
#undef CHOOSE
#undef UNROLL

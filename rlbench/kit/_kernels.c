/* Layers and optimisers on the CPU, seed by seed: a seed's weights and activations stay in the processor's
 * cache from layer to layer. rlbench/kit/kernels.py is the way to them.
 *
 * Tensors are passed as addresses: the caller has checked shapes and dtypes (float32) and that they are contiguous.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { NONE, RELU, TANH };

typedef struct {
    int64_t inputs, width, weight, bias, activation; /* weight and bias: where they start in a seed's row */
} layer_t;

typedef struct {
    const char *from, *to; /* what comes next, to be brought into the cache meanwhile */
} ahead_t;

#define PADDED(width) (((width) + 15) / 16 * 16)

#define NAME(name) name##_any
#define TARGET
#define WIDTH 4
#define ROWS 4
#define COLUMNS 4
#define NARROW 8
#include "_kernels.h"
#undef NAME
#undef TARGET
#undef WIDTH
#undef ROWS
#undef COLUMNS
#undef NARROW

#ifdef __x86_64__
#define NAME(name) name##_avx2
#define TARGET __attribute__((target("avx2,fma")))
#define WIDTH 8
#define ROWS 6
#define COLUMNS 2
#define NARROW 8
#include "_kernels.h"
#undef NAME
#undef TARGET
#undef WIDTH
#undef ROWS
#undef COLUMNS
#undef NARROW

#define NAME(name) name##_avx512
#ifdef __clang__ /* which ignores a target with words that it does not know */
#define TARGET __attribute__((target("avx512f,fma")))
#else
#define TARGET __attribute__((target("avx512f,fma,prefer-vector-width=512")))
#endif
#define WIDTH 16
#define ROWS 4
#define COLUMNS 4
#define NARROW 8
#include "_kernels.h"
#endif

enum { ANY, AVX2, AVX512 };

static int best(void) {
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx512f")) return AVX512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return AVX2;
#endif
    return ANY;
}

#ifdef __x86_64__
#define DISPATCH(level, call) \
    if ((level) == AVX512) { call(avx512); } else if ((level) == AVX2) { call(avx2); } else { call(any); }
#else
#define DISPATCH(level, call) { call(any); }
#endif

static int numbers(PyObject *const *args, Py_ssize_t from, Py_ssize_t to, long long *out) {
    for (Py_ssize_t i = from; i < to; i++) {
        out[i] = PyLong_AsLongLong(args[i]);
        if (out[i] == -1 && PyErr_Occurred()) return 0;
    }
    return 1;
}

static float *scratch(long layers, const layer_t *layer, long rows, long *wide, long *panel) {
    long deep = rows;
    *wide = 0;
    for (long l = 0; l < layers; l++) {
        if (PADDED(layer[l].inputs) > *wide) *wide = PADDED(layer[l].inputs);
        if (layer[l].width > *wide) *wide = layer[l].width;
    }
    if (*wide > deep) deep = *wide;
    *panel = deep * 64; /* COLUMNS * WIDTH at most */
    return aligned_alloc(64, (*panel + 2 * PADDED(rows) * *wide) * sizeof(float));
}

/* forward(layers, weights, row, x, seeds, rows, held, level, all): `held` takes the outputs of all layers,
 * each [seeds, rows, width] and one after the other, or those of the last alone. */
static PyObject *forward(PyObject *self, PyObject *const *args, Py_ssize_t count) {
    long long n[9];
    if (count != 9 || !PyBytes_Check(args[0]) || !numbers(args, 1, 9, n)) {
        if (!PyErr_Occurred()) PyErr_SetString(PyExc_TypeError, "forward takes layers as bytes and 8 integers");
        return NULL;
    }
    const layer_t *layer = (const layer_t *)PyBytes_AS_STRING(args[0]);
    const long layers = PyBytes_GET_SIZE(args[0]) / sizeof(layer_t), seeds = n[4], rows = n[5];
    const float *weights = (const float *)(intptr_t)n[1], *x = (const float *)(intptr_t)n[3];
    float *held = (float *)(intptr_t)n[6];
    long wide, panel;
    float *memory = scratch(layers, layer, rows, &wide, &panel);
    if (!memory) return PyErr_NoMemory();
    float *spare = n[8] ? NULL : memory + panel;
    for (long seed = 0; seed < seeds; seed++) {
        const float *own = weights + seed * n[2], *given = x + seed * rows * layer[0].inputs;
        const float *end = own + n[2];
        const ahead_t ahead = {(const char *)end, (const char *)(end + (seed + 1 < seeds) * n[2])};
#define CALL(isa) forward_##isa(layers, layer, own, given, seed, seeds, rows, held, spare, wide, memory, ahead)
        DISPATCH(n[7], CALL);
#undef CALL
    }
    free(memory);
    Py_RETURN_NONE;
}

/* backward(layers, weights, row, x, seeds, rows, held, gradients, outputs, width, inputs, level): the gradient
 * of the outputs is [seeds, rows, width]; that of the inputs is left out where its address is 0. */
static PyObject *backward(PyObject *self, PyObject *const *args, Py_ssize_t count) {
    long long n[12];
    if (count != 12 || !PyBytes_Check(args[0]) || !numbers(args, 1, 12, n)) {
        if (!PyErr_Occurred()) PyErr_SetString(PyExc_TypeError, "backward takes layers as bytes and 11 integers");
        return NULL;
    }
    const layer_t *layer = (const layer_t *)PyBytes_AS_STRING(args[0]);
    const long layers = PyBytes_GET_SIZE(args[0]) / sizeof(layer_t), seeds = n[4], rows = n[5], width = n[9];
    const float *weights = (const float *)(intptr_t)n[1], *x = (const float *)(intptr_t)n[3];
    const float *held = (const float *)(intptr_t)n[6], *outputs = (const float *)(intptr_t)n[8];
    float *gradients = (float *)(intptr_t)n[7], *inputs = (float *)(intptr_t)n[10];
    const long last = layer[layers - 1].width, depth = layer[0].inputs;
    long wide, panel;
    float *memory = scratch(layers, layer, rows, &wide, &panel);
    if (!memory) return PyErr_NoMemory();
    float *first = memory + panel, *second = first + PADDED(rows) * wide;
    for (long seed = seeds; seed-- > 0;) { /* those that went forward last are in the cache still */
        const float *own = weights + seed * n[2], *given = x + seed * rows * depth;
        const ahead_t ahead = {(const char *)(own - (seed > 0) * n[2]), (const char *)own};
        float *gradient = gradients + seed * n[2], *to = inputs ? inputs + seed * rows * PADDED(depth) : NULL;
        for (long i = 0; i < rows; i++) {
            memcpy(first + i * last, outputs + (seed * rows + i) * width, width * sizeof(float));
            memset(first + i * last + width, 0, (last - width) * sizeof(float));
        }
#define CALL(isa) \
    backward_##isa(layers, layer, own, gradient, given, seed, seeds, rows, held, first, second, to, memory, ahead)
        DISPATCH(n[11], CALL);
#undef CALL
    }
    free(memory);
    Py_RETURN_NONE;
}

static int reals(PyObject *const *args, Py_ssize_t from, Py_ssize_t to, float *out) {
    for (Py_ssize_t i = from; i < to; i++) {
        const double value = PyFloat_AsDouble(args[i]);
        if (value == -1.0 && PyErr_Occurred()) return 0;
        out[i - from] = (float)value;
    }
    return 1;
}

#define FLOATS(number) ((float *)(intptr_t)(number))

/* adam(values, gradients, means, squares, norms, seeds, size, level, most, step, correction, beta1, beta2, epsilon):
 * each seed's gradient is clipped to a norm of `most` and used while it is in the cache; `norms` takes one number a
 * seed. */
static PyObject *adam(PyObject *self, PyObject *const *args, Py_ssize_t count) {
    long long n[8];
    float r[6];
    if (count != 14) return PyErr_Format(PyExc_TypeError, "adam takes 14 numbers");
    if (!numbers(args, 0, 8, n) || !reals(args, 8, 14, r)) return NULL;
    for (long seed = 0, at = 0; seed < n[5]; seed++, at += n[6]) {
#define CALL(isa) \
    FLOATS(n[4])[seed] = clip_##isa(n[6], FLOATS(n[1]) + at, r[0]); \
    adam_##isa(n[6], FLOATS(n[0]) + at, FLOATS(n[1]) + at, FLOATS(n[2]) + at, FLOATS(n[3]) + at, r[1], r[2], r[3], r[4], r[5])
        DISPATCH(n[7], CALL);
#undef CALL
    }
    Py_RETURN_NONE;
}

/* rmsprop(values, gradients, squares, norms, seeds, size, level, most, step, alpha, epsilon): likewise. */
static PyObject *rmsprop(PyObject *self, PyObject *const *args, Py_ssize_t count) {
    long long n[7];
    float r[4];
    if (count != 11) return PyErr_Format(PyExc_TypeError, "rmsprop takes 11 numbers");
    if (!numbers(args, 0, 7, n) || !reals(args, 7, 11, r)) return NULL;
    for (long seed = 0, at = 0; seed < n[4]; seed++, at += n[5]) {
#define CALL(isa) \
    FLOATS(n[3])[seed] = clip_##isa(n[5], FLOATS(n[1]) + at, r[0]); \
    rmsprop_##isa(n[5], FLOATS(n[0]) + at, FLOATS(n[1]) + at, FLOATS(n[2]) + at, r[1], r[2], r[3])
        DISPATCH(n[6], CALL);
#undef CALL
    }
    Py_RETURN_NONE;
}

/* gather(rows, count, (from, to, size), ...): copy rows of `size` bytes, by their int64 numbers, out of every table. */
static PyObject *gather(PyObject *self, PyObject *const *args, Py_ssize_t count) {
    long long n[2], table[3];
    if (count < 2 || !numbers(args, 0, 2, n)) {
        if (!PyErr_Occurred()) PyErr_SetString(PyExc_TypeError, "gather takes rows, their count, and tables");
        return NULL;
    }
    const int64_t *rows = (const int64_t *)(intptr_t)n[0];
    for (Py_ssize_t i = 2; i < count; i++) {
        if (!PyArg_ParseTuple(args[i], "LLL", &table[0], &table[1], &table[2])) return NULL;
        const char *from = (const char *)(intptr_t)table[0];
        char *to = (char *)(intptr_t)table[1];
        const size_t size = table[2];
#define COPY(bytes) \
    for (long k = 0; k < n[1]; k++) { \
        if (k + 32 < n[1]) __builtin_prefetch(from + rows[k + 32] * (bytes)); \
        memcpy(to + k * (bytes), from + rows[k] * (bytes), bytes); \
    }
        switch (size) { /* of a constant size, a copy is one or two instructions */
            case 1: COPY(1) break;
            case 4: COPY(4) break;
            case 8: COPY(8) break;
            case 16: COPY(16) break;
            default: COPY(size);
        }
#undef COPY
    }
    Py_RETURN_NONE;
}

#define METHOD(name, text) {#name, (PyCFunction)(void (*)(void))name, METH_FASTCALL, text}

static PyMethodDef methods[] = {
    METHOD(forward, "forward(layers, weights, row, x, seeds, rows, held, level, all)"),
    METHOD(backward, "backward(layers, weights, row, x, seeds, rows, held, gradients, outputs, width, inputs, level)"),
    METHOD(adam, "adam(values, gradients, means, squares, norms, seeds, size, level, most, step, correction, beta1, beta2, epsilon)"),
    METHOD(gather, "gather(rows, count, (from, to, size), ...)"),
    METHOD(rmsprop, "rmsprop(values, gradients, squares, norms, seeds, size, level, most, step, alpha, epsilon)"),
    {NULL, NULL, 0, NULL},
};

static int fill(PyObject *module) {
    return PyModule_AddIntConstant(module, "interface", 2) /* raise it when a function's arguments change */
           || PyModule_AddIntConstant(module, "best", best()) || PyModule_AddStringConstant(module, "compiler", __VERSION__);
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, fill}, {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_kernels", "Layers and optimisers of all seeds, compiled.", 0, methods, slots, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__kernels(void) { return PyModuleDef_Init(&definition); }

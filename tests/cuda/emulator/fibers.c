/* The threads of a block as coroutines of one thread: each runs to the next barrier, then the next one. From barrier to
   barrier the order is reversed, which shows missing barriers; shared memory starts out as NaN in every block. What the
   lanes of a warp do together, the last of them to arrive does for all. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define STACK (256 << 10)

static int thread, block[3], threads, grid[3];
static ucontext_t scheduler, *contexts;
static enum { READY, AT_BARRIER, IN_WARP, ENDED } *state;
static float **given_by; /* what a thread gives to its warp */
static void (*kernel)(void *);
static void *arguments;

int thread_x(void) { return thread; }
int thread_y(void) { return 0; }
int thread_z(void) { return 0; }
int block_x(void) { return block[0]; }
int block_y(void) { return block[1]; }
int block_z(void) { return block[2]; }
int threads_x(void) { return threads; }
int threads_y(void) { return 1; }
int threads_z(void) { return 1; }
int blocks_x(void) { return grid[0]; }
int blocks_y(void) { return grid[1]; }
int blocks_z(void) { return grid[2]; }

static void rest(int why) {
    state[thread] = why;
    swapcontext(&contexts[thread], &scheduler);
}

void barrier(void) { rest(AT_BARRIER); }

static float without_lower_bits(float x) {
    uint32_t bits;
    memcpy(&bits, &x, 4);
    bits &= ~0x1fffu;
    memcpy(&x, &bits, 4);
    return x;
}

/* cvt.rna.tf32.f32: to eleven significant bits, halves away from 0. */
uint32_t rounded(float x) {
    uint32_t bits;
    memcpy(&bits, &x, 4);
    return isnan(x) ? bits : (bits + 0x1000u) & ~0x1fffu;
}

/* mma.m16n8k8 of TF32: a lane gives four elements of the left factor, two of the right and four of the result, which it
   gets back changed. For the places of the elements see kernels/cuda/tensor_cores.py. */
void multiply(float *cells) {
    int first = thread / 32 * 32;
    given_by[thread] = cells;
    state[thread] = IN_WARP;
    for (int lane = 0; lane < 32; lane++) {
        if (state[first + lane] == IN_WARP) continue;
        swapcontext(&contexts[thread], &scheduler);
        return;
    }
    float **of = given_by + first;
    double left[16][8], right[8][8];
    for (int lane = 0; lane < 32; lane++) {
        int group = lane / 4, member = lane % 4;
        for (int i = 0; i < 4; i++) left[group + i % 2 * 8][member + i / 2 * 4] = without_lower_bits(of[lane][i]);
        for (int i = 0; i < 2; i++) right[member + 4 * i][group] = without_lower_bits(of[lane][4 + i]);
    }
    for (int lane = 0; lane < 32; lane++) {
        int group = lane / 4, member = lane % 4;
        for (int i = 0; i < 4; i++) {
            double sum = 0;
            for (int k = 0; k < 8; k++) sum += left[group + i / 2 * 8][k] * right[k][2 * member + i % 2];
            of[lane][6 + i] = of[lane][6 + i] + sum;
        }
        state[first + lane] = READY;
    }
}

static void body(void) {
    kernel(arguments);
    state[thread] = ENDED;
}

/* Lets the threads of a block run until all wait or have ended; how many have ended. */
static int run_on(int backwards) {
    int any = 1, found = 0;
    while (any) {
        any = 0;
        for (int i = 0; i < threads; i++) {
            thread = backwards ? threads - 1 - i : i;
            if (state[thread] != READY) continue;
            any = 1;
            swapcontext(&scheduler, &contexts[thread]);
        }
    }
    for (int i = 0; i < threads; i++) found += state[i] == ENDED;
    return found;
}

/* Runs a grid; returns 1 if threads of a block wait for others that have ended or wait elsewhere, -1 without memory. */
int launch(void (*function)(void *), void *given, const int *blocks, int count, int shared_arrays, char **shared,
           const int64_t *sizes) {
    int failed = 0;
    char *stacks = malloc((size_t)count * STACK);
    contexts = malloc(count * sizeof *contexts);
    state = malloc((count + 32) * sizeof *state); /* lanes that a last warp lacks count as ended */
    given_by = malloc(count * sizeof *given_by);
    if (!stacks || !contexts || !state || !given_by) return -1;
    kernel = function, arguments = given, threads = count;
    memcpy(grid, blocks, sizeof grid);
    for (int i = 0; i < 32; i++) state[count + i] = ENDED;
    for (block[2] = 0; block[2] < grid[2]; block[2]++)
    for (block[1] = 0; block[1] < grid[1]; block[1]++)
    for (block[0] = 0; block[0] < grid[0]; block[0]++) {
        for (int i = 0; i < shared_arrays; i++) memset(shared[i], 0xff, sizes[i]);
        for (int i = 0; i < count; i++) {
            getcontext(&contexts[i]);
            contexts[i].uc_stack.ss_sp = stacks + (size_t)i * STACK;
            contexts[i].uc_stack.ss_size = STACK;
            contexts[i].uc_link = &scheduler;
            makecontext(&contexts[i], body, 0);
            state[i] = READY;
        }
        for (int round = 0; !failed && run_on(round % 2) < count; round++) {
            for (int i = 0; i < count; i++) {
                failed |= state[i] != AT_BARRIER;
                state[i] = READY;
            }
        }
        if (failed) break;
    }
    free(stacks), free(contexts), free(state), free(given_by);
    return failed;
}

/* The threads of a block as coroutines of one thread: each runs to the next barrier, then the next one. From barrier to
   barrier the order is reversed, which shows missing barriers; shared memory starts out as NaN in every block. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define STACK (256 << 10)

static int thread, block[3], threads, grid[3];
static ucontext_t scheduler, *contexts;
static char *ended;
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

void barrier(void) { swapcontext(&contexts[thread], &scheduler); }

static void body(void) {
    kernel(arguments);
    ended[thread] = 1;
}

/* Runs a grid; returns 1 if some threads of a block wait at a barrier when others have ended, -1 without memory. */
int launch(void (*function)(void *), void *given, const int *blocks, int count, int shared_arrays, char **shared,
           const int64_t *sizes) {
    int failed = 0;
    char *stacks = malloc((size_t)count * STACK);
    contexts = malloc(count * sizeof *contexts);
    ended = malloc(count);
    if (!stacks || !contexts || !ended) return -1;
    kernel = function, arguments = given, threads = count;
    memcpy(grid, blocks, sizeof grid);
    for (block[2] = 0; block[2] < grid[2]; block[2]++)
    for (block[1] = 0; block[1] < grid[1]; block[1]++)
    for (block[0] = 0; block[0] < grid[0]; block[0]++) {
        for (int i = 0; i < shared_arrays; i++) memset(shared[i], 0xff, sizes[i]);
        memset(ended, 0, count);
        for (int i = 0; i < count; i++) {
            getcontext(&contexts[i]);
            contexts[i].uc_stack.ss_sp = stacks + (size_t)i * STACK;
            contexts[i].uc_stack.ss_size = STACK;
            contexts[i].uc_link = &scheduler;
            makecontext(&contexts[i], body, 0);
        }
        for (int left = count, round = 0; left; round++) {
            int before = left;
            for (int i = 0; i < count; i++) {
                thread = round % 2 ? count - 1 - i : i;
                if (ended[thread]) continue;
                swapcontext(&scheduler, &contexts[thread]);
                left -= ended[thread];
            }
            if (left && before != left) failed = 1;
        }
    }
    free(stacks), free(contexts), free(ended);
    return failed;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs a fuzz target over the files of a folder (its corpus), for builds without libFuzzer. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return perror(path), 1;
    size_t size = 0, capacity = 1 << 20;
    uint8_t *bytes = malloc(capacity);
    if (bytes)
        size = fread(bytes, 1, capacity, f);
    fclose(f);
    uint8_t *exact = malloc(size ? size : 1); /* so that reading past the end is found */
    for (size_t i = 0; exact && i < size; i++)
        exact[i] = bytes[i];
    free(bytes);
    if (!exact)
        return 1;
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    return 0;
}

int main(int argc, char **argv)
{
    DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
    if (!folder)
        return fprintf(stderr, "usage: %s CORPUS_FOLDER\n", argv[0]), 2;
    int n = 0, failed = 0;
    for (struct dirent *e; (e = readdir(folder));) {
        char path[4096];
        if (e->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", argv[1], e->d_name);
        failed += replay(path);
        n++;
    }
    closedir(folder);
    printf("%d inputs\n", n);
    return failed || n < 3; /* every target has at least three seeds */
}

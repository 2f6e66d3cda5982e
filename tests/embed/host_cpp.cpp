/* SPDX-License-Identifier: BSD-3-Clause */
/* A host program in C++: the header compiles as C++, runtime and stream fit a unique_ptr. */
#include <halyard.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

namespace {

struct Free {
    void operator()(hal_runtime *rt) const
    {
        hal_runtime_free(rt);
    }
};

struct Release {
    void operator()(ArrowArrayStream *stream) const
    {
        if (stream->release)
            stream->release(stream);
        delete stream;
    }
};

void append(void *ctx, const char *text, size_t size_bytes)
{
    static_cast<std::string *>(ctx)->append(text, size_bytes);
}

} // namespace

int main()
{
    std::string output;
    hal_config config{};
    config.struct_size = sizeof config;
    config.output = "out-cpp";
    config.on_output = append;
    config.ctx = &output;
    std::unique_ptr<hal_runtime, Free> rt(hal_runtime_new(&config, nullptr, 0));
    if (!rt)
        return 1;

    const std::string path =
        std::string(std::getenv("HALYARD_SOURCE")) + "/tests/cli/workflows/hello.lua";
    const std::vector<hal_pair> params{{"who", "C++"}};
    const hal_status st = hal_runtime_run(rt.get(), path.c_str(), params.data(), params.size());
    if (st != HAL_OK || output.find("hello C++") == std::string::npos) {
        std::printf("status %d: %s\n%s\n", st, hal_runtime_error(rt.get()), output.c_str());
        return 1;
    }

    const std::string table =
        std::string(std::getenv("HALYARD_SHARED")) + "/data/votable/pyvo-query-basic.xml";
    const std::unique_ptr<ArrowArrayStream, Release> stream(new ArrowArrayStream{});
    hal_read_job job{};
    job.struct_size = sizeof job;
    job.in = table.c_str();
    if (hal_runtime_read(rt.get(), &job, stream.get()) != HAL_OK ||
        hal_runtime_write(rt.get(), stream.get(), "out-cpp.csv", nullptr) != HAL_OK) {
        std::printf("%s\n", hal_runtime_error(rt.get()));
        return 1;
    }
    return 0;
}

-- SPDX-License-Identifier: BSD-3-Clause
local spec, unit = "tests/archive/casjobs_spec.lua", "tests/spec/casjobs_spec.lua"
local client, server = "lua/halyard/archive/casjobs.lua", "lua/practice/casjobs.lua"

local function operation(name, call, ...)
  local tests = {}
  for i, text in ipairs({ ... }) do
    tests[i] = { spec, text }
  end
  return { name, call, client = { client, '"' .. name .. '"' },
    practice = { server, "operations." .. name:lower() }, tests = tests }
end

return {
  title = "CasJobs", page = "docs/archives/casjobs.md", rows = {
    operation("ExecuteQuickJob", "casjobs:quick", "answers a small query at once",
      "speaks SOAP to those who ask so"),
    operation("SubmitJob", "casjobs:submit, casjobs:query", "past the limit, as a job"),
    operation("GetJobStatus", "job:status, job:wait", "waits through the states of a job"),
    operation("CancelJob", "job:cancel", "waits through the states of a job"),
    operation("GetJobs", "casjobs:jobs", "keeps tables in MyDB until they are dropped"),
    { "GetJobsJob", "casjobs:jobs (GetJobs tells the same)", client = { client, '"GetJobs"' },
      practice = { server, "operations.getjobsjob" }, tests = { { spec, "GetJobsJob" } } },
    operation("SubmitExtractJob", "casjobs:fetch", "extracts a table where the fast service"),
    operation("UploadData", "casjobs:upload", "keeps tables in MyDB until they are dropped"),
    operation("GetQueues", "casjobs:queues", "keeps tables in MyDB until they are dropped"),
    operation("GetJobTypes", "casjobs:job_types", "keeps tables in MyDB until they are dropped"),
    { "casusers.asmx/GetWebServiceId", "mast.casjobs", client = { client },
      practice = { server }, tests = { { spec, "for either form of account" },
        { spec, "that a wrong one is wrong" } } },
    { "/cgi-bin/quick_casjobs.cgi", "casjobs:fetch", client = { client }, practice = { server },
      tests = { { spec, "keeps tables in MyDB until they are dropped" } } },
    { "MyDB: list and drop", "casjobs:tables, casjobs:drop",
      client = { client, "information_schema.TABLES" },
      practice = { server, "INFORMATION_SCHEMA.TABLES" },
      tests = { { spec, "keeps tables in MyDB until they are dropped" } } },
    { "result text `[name]:type`", "casjobs:quick",
      client = { "lua/halyard/archive/casjobs_text.lua", "bigint" },
      practice = { server, "bigint" },
      tests = { { unit, "reads a result with its types" } } },
    { "failures, stack traces, the firewall's page", "casjobs:query",
      client = { "lua/halyard/archive/casjobs_text.lua", "Request ID" },
      practice = { server, "System.Exception" },
      tests = { { unit, "finds the words" }, { spec, "in the service's own words" } } },
  },
}

-- SPDX-License-Identifier: BSD-3-Clause
local M = {}
return M

-- SPDX-License-Identifier: BSD-3-Clause
-- The command from outside: output, messages, exit codes, what is left on disk.
-- Usage: commands.lua HALYARD THIS_FOLDER. With HALYARD_GOLDEN=write the golden files are renewed.
local halyard, here = arg[1], arg[2]
local data = os.getenv("HALYARD_SHARED") .. "/data/mashup/"
local work = os.tmpname()
os.remove(work)
local n_failed = 0

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

local function read(path)
  local file = io.open(path, "rb")
  if not file then
    return nil
  end
  local text = file:read("a")
  file:close()
  return text
end

local function write(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
end

local function shell(line)
  local _, how, code = os.execute(line)
  return how == "exit" and code or 128 + code
end

-- Runs the command in the work folder; returns exit code, standard output, standard error.
local function run(args, before, after)
  local line = ("cd %s && %s %s %s >out 2>err %s"):format(work, before or "", quote(halyard), args,
    after or "")
  local code = shell(line)
  return code, read(work .. "/out"), read(work .. "/err")
end

local function check(name, ok, ...)
  if not ok then
    n_failed = n_failed + 1
    print("FAILED: " .. name, ...)
  end
end

local function contains(text, part)
  return text and text:find(part, 1, true) ~= nil
end

local function golden(name, text)
  local path = here .. "/golden/" .. name .. ".txt"
  if os.getenv("HALYARD_GOLDEN") == "write" then
    write(path, text)
  end
  check("output as in golden/" .. name .. ".txt", text == read(path), "\n" .. text)
end

-- One complaint: a single line on standard error, nothing on standard output.
local function complains(name, args, code, ...)
  local got, out, err = run(args)
  check(name .. ": exit " .. code, got == code, got, err)
  check(name .. ": nothing on standard output", out == "", out)
  check(name .. ": one line", err:find("^halyard: [^\n]+\n$"), err)
  for _, part in ipairs({ ... }) do
    check(name .. ": says " .. part, contains(err, part), err)
  end
end

shell("mkdir -p " .. work)

-- Texts of the command itself
local code, out, err, _ = run("version")
check("version exits 0", code == 0 and err == "")
golden("version", out)
check("--version is the same", select(2, run("--version")) == out)
code, out = run("help")
check("help exits 0", code == 0)
golden("help", out)
check("--help is the same", select(2, run("--help")) == out)
code, out = run("")
check("no command shows the help and exits 2", code == 2 and out == select(2, run("help")))
code, out = run("run --help")
check("run --help exits 0", code == 0)
golden("help-run", out)
check("help run is the same", select(2, run("help run")) == out)
for _, name in ipairs({ "convert", "show" }) do
  _, out = run(name .. " -h")
  golden("help-" .. name, out)
end

complains("an unknown command", "rum", 2, "did you mean 'run'?")
complains("a command like no other", "xyzzyxyzzy", 2, "halyard help")
complains("an unknown option", "convert --form csv x", 2, "did you mean --from?")
complains("an unknown short option", "convert -x x", 2, "-x")
complains("an option without its value", "convert x --to", 2, "--to needs a value")
complains("a flag with a value", "run x --quiet=yes", 2, "--quiet takes no value")
complains("a missing argument", "convert", 2, "usage: halyard convert IN [OUT]")
complains("one argument too many", "convert a b c", 2, "'c'")
complains("a parameter given twice", "run x --a 1 --a=2", 2, "--a is given twice")

-- Conversion
local caom = quote(data .. "caom.json")
code, out, err = run("convert " .. caom)
local n_lines = select(2, out:gsub("\n", ""))
check("convert writes a header and 19 rows", code == 0 and n_lines == 20 and err ==
  "warning: csv reads back as numbers or booleans what is text (proposal_id)\n", n_lines, err)
check("convert keeps the columns' order",
  out:find("^dataproduct_type,obs_collection,instrument_name,project,"))
check("convert writes the same to a file",
  run("convert " .. caom .. " caom.csv") == 0 and read(work .. "/caom.csv") == out)
check("convert reads its own CSV",
  run("convert caom.csv again.csv") == 0 and read(work .. "/again.csv") == out)
check("convert reads standard input", select(2, run("convert -", "cat " .. caom .. " |")) == out)
code, out = run("convert " .. caom .. " caom.jsonl")
check("convert chooses JSON lines by name", code == 0 and out == ""
  and select(2, read(work .. "/caom.jsonl"):gsub("\n", "")) == 19)
write(work .. "/ids.json", '{"status":"COMPLETE","msg":"","data":[{"id":190361393344112894}],'
  .. '"fields":[{"name":"id","type":"int"}],"paging":{"page":1,"pageSize":10,"pagesFiltered":1,'
  .. '"rows":1,"rowsFiltered":1,"rowsTotal":1}}')
code, out = run("convert --to jsonl ids.json")
check("convert keeps 64-bit identifiers", code == 0 and contains(out, ":190361393344112894"), out)

code, out = run("show small.csv",
  "printf 'id,name,g\\n1,a,2.5\\n2,,\\n3,\\303\\251,4\\n' >small.csv;")
check("show prints columns and rows", code == 0)
golden("show", out)
code, out = run("show --stats --rows 0 small.csv")
check("show --stats prints what columns hold", code == 0)
golden("show-stats", out)
code, out = run("show --stats --json -n 1 - <small.csv")
check("show --json prints JSON", code == 0)
golden("show-json", out)
write(work .. "/described.vot", '<VOTABLE version="1.4"><RESOURCE><TABLE><FIELD name="V" '
  .. 'datatype="double" unit="mag" ucd="phot.mag;em.opt.V"/><DATA><TABLEDATA><TR><TD>9</TD></TR>'
  .. "</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>")
for _, option in ipairs({ "", "--stats" }) do
  _, out = run("show described.vot " .. option)
  check("show prints units and UCDs " .. option,
    contains(out, "V       float64  mag   phot.mag;em.opt.V"), out)
end
write(work .. "/odd.vot", '<VOTABLE version="1.4"><RESOURCE><TABLE><FIELD name="v" '
  .. 'datatype="double" arraysize="*"/><DATA><TABLEDATA><TR><TD>1.5 NaN -Inf +Inf 2e+30</TD></TR>'
  .. "</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>")
_, out = run("show --json odd.vot")
check("show --json quotes in arrays what JSON has no number for",
  contains(out, '{"v":[1.5,"NaN","-inf","inf",2e+30]}'), out)
for bytes, says in pairs({ ["PK\3\4xx\n"] = "zip archive; unpack it first",
  ["\127ELF\2\1\n"] = "a program", ["%PDF-1.4\n"] = "a PDF document",
  ["\255\254a\0,\0"] = "save it as UTF-8", ["\254\255\0a\0,"] = "save it as UTF-8",
  ["\0\1\2\n"] = "binary data" }) do
  write(work .. "/binary.csv", bytes)
  complains("a file of bytes", "show binary.csv", 4, says)
  complains("a file of bytes named csv", "show --from csv binary.csv", 4, says)
end
write(work .. "/sentence.csv", "Query timed out, please try again\n")
complains("a failure as plain text", "show sentence.csv", 4, "plain text", "Query timed out")
code = run("show --from csv sentence.csv")
check("a sentence is read as csv when its reader says so", code == 0)
write(work .. "/steers.vot", '<VOTABLE version="1.4"><RESOURCE type="results"><INFO '
  .. 'name="QUERY_STATUS" value="ERROR">bad\u{9B}31m column</INFO></RESOURCE></VOTABLE>')
complains("a service's text with a control character", "show steers.vot", 4, "bad\u{BF}31m column")
write(work .. "/steers.csv", "name,x\na\u{9B}31mb\u{E9}\27[1m,1\n")
_, out = run("show steers.csv")
check("show prints no control character", contains(out, "a\u{BF}31mb\u{E9}?[1m"), out)
local every = quote(os.getenv("HALYARD_SHARED") .. "/data/votable/gen-alltypes.tabledata.xml")
for _, middle in ipairs({ "fits", "ecsv" }) do
  for _, to in ipairs({ "votable", "votable-binary2" }) do
    code, _, err = run(("convert %s between.%s && %s convert --to %s between.%s back.vot && %s "
      .. "convert --to jsonl back.vot back.jsonl && %s convert --to jsonl between.%s there.jsonl")
      :format(every, middle, quote(halyard), to, middle, quote(halyard), quote(halyard), middle))
    check("null items of arrays go by " .. middle .. " to " .. to, code == 0, code, err)
    check("null items stay null by " .. middle .. " to " .. to,
      read(work .. "/back.jsonl") == read(work .. "/there.jsonl"))
  end
end
complains("show without a number of rows", "show --rows x small.csv", 2, "--rows", "x")
complains("show of a missing file", "show absent.csv", 2, "absent.csv")
code, out = run("convert - - <small.csv")
check("convert copies standard input to standard output", code == 0
  and out == read(work .. "/small.csv"):gsub(",4\n", ",4.0\n"), out)
local lines = { "id,x\n" }
for i = 1, 70000 do
  lines[#lines + 1] = i .. ",1\n"
end
write(work .. "/late.csv", table.concat(lines) .. "70001,2.5\n")
code = run("convert late.csv late.jsonl")
check("convert gives a column the type of its last row from the first on", code == 0
  and read(work .. "/late.jsonl"):find('^{"id":1,"x":1%.0}\n')
  and read(work .. "/late.jsonl"):find('{"id":70001,"x":2%.5}\n$'))
complains("an ending of no format", "convert late.csv late.csv2", 2, "choose with --to: ",
  "votable-binary2")
complains("a format that is only read", "convert --to rows late.csv late.csv2", 2,
  "written are ", "ecsv")
code = run("convert late.csv late.csv2 --to csv")
check("convert reads a file twice where a late row is wider", code == 0)
local late = read(work .. "/late.csv2")
shell(("mkfifo %s/pipe"):format(work))
for _, output in ipairs({ "-", "pipe.csv" }) do
  code, out, err = run("convert pipe " .. output, "{ cat late.csv >pipe & } &&")
  check("convert reads a pipe given by its path once, to " .. output, code == 0
    and (output == "-" and out or read(work .. "/" .. output)) == late, code, err)
end
code, out, err = run("convert /dev/stdin -", "cat late.csv |")
check("convert reads /dev/stdin", code == 0 and out == late, code, err)
shell(("cd %s && mkfifo sink && ln -s target.csv link.csv && echo >target.csv && "
  .. "chmod 600 target.csv && ln -s nowhere.csv dangling.csv"):format(work))
code, _, err = run("convert late.csv sink --to csv", "{ cat sink >drained & } &&",
  "; r=$?; wait; exit $r")
check("a pipe as the output is written to, once", code == 0
  and read(work .. "/drained") == late, err)
check("it stays a pipe", shell("test -p " .. work .. "/sink") == 0)
check("/dev/stdout is standard output", select(2,
  run("convert late.csv /dev/stdout --to csv")) == late)
check("/dev/null stays a device", run("convert late.csv /dev/null --to csv") == 0
  and shell("test -c /dev/null") == 0)
check("the file behind a link is written", run("convert late.csv link.csv") == 0
  and read(work .. "/target.csv") == late and shell("test -L " .. work .. "/link.csv") == 0)
check("a file keeps its permissions",
  shell(("test $(stat -c %%a %s/target.csv) = 600"):format(work)) == 0)
complains("a link to nothing", "convert late.csv dangling.csv", 5, "a link to what is not there")

local whole = read(data .. "caom.json")
write(work .. "/cut.json", whole:sub(1, #whole // 2))
write(work .. "/page.html", "<!DOCTYPE html><html><body>Service unavailable</body></html>")
write(work .. "/busy.json", '{"status":"EXECUTING","msg":"","data":[]}')
write(work .. "/error.json", '{"status":"ERROR","msg":"no such service","data":[]}')
complains("a truncated answer", "convert cut.json cut.csv", 7, "cut.json")
complains("a page instead of an answer", "convert --from json page.html page.csv", 4, "page.html")
complains("an answer that is still executing", "convert busy.json busy.csv", 75, "executing")
complains("an answer that is an error", "convert error.json error.csv", 4, "no such service")
complains("an answer that the service cut", "convert " .. quote(data ..
  "../votable/late-overflow.xml") .. " cut.csv", 7, "OVERFLOW")
check("no file is left by a cut answer", not read(work .. "/cut.csv"))
complains("a missing input", "convert absent.json", 2, "absent.json")
complains("an unknown format", "convert --to fitz " .. caom, 2, "fitz")
write(work .. "/x.vot", [[<VOTABLE version="1.4"><RESOURCE><TABLE>
<FIELD name="ra" datatype="double" unit="deg" ucd="pos.eq.ra"/>
<FIELD name="dec" datatype="double" unit="deg"/>
<FIELD name="mag" datatype="float"><DESCRIPTION>as seen</DESCRIPTION></FIELD>
<FIELD name="flux" datatype="float" unit="Jy"/>
<DATA><TABLEDATA><TR><TD>1.5</TD><TD>-0.1</TD><TD>0.1</TD><TD>NaN</TD></TR></TABLEDATA></DATA>
</TABLE></RESOURCE></VOTABLE>
]])
code, _, err = run("convert x.vot x.csv")
check("convert warns once of what CSV does not say", code == 0 and err ==
  "warning: csv keeps no units, UCDs or descriptions (ra, dec, mag and 1 more)\n", code, err)
check("a float has its own digits", read(work .. "/x.csv") == "ra,dec,mag,flux\n1.5,-0.1,0.1,NaN\n",
  read(work .. "/x.csv"))
write(work .. "/told.vot", [[<VOTABLE version="1.4"><RESOURCE type="results">
<INFO name="QUERY_STATUS" value="OK"/><COOSYS ID="s" system="ICRS"/><TABLE name="stars">
<PARAM name="seeing" datatype="float" unit="arcsec" value="0.8"/><FIELD name="n" datatype="int"/>
<DATA><TABLEDATA><TR><TD>1</TD></TR></TABLEDATA></DATA></TABLE><INFO name="cost" value="3"/>
</RESOURCE></VOTABLE>
]])
code, _, err = run("convert told.vot told-again.vot")
local told = read(work .. "/told-again.vot")
check("convert keeps what a VOTable says before and behind its rows", code == 0 and err == ""
  and contains(told, '<INFO name="QUERY_STATUS" value="OK"/>')
  and contains(told, '<COOSYS ID="s" system="ICRS"/>') and contains(told, '<TABLE name="stars">')
  and contains(told, '<PARAM name="seeing" value="0.8" datatype="float" unit="arcsec"/>')
  and contains(told, '<INFO name="cost" value="3"/>'), told)
code, _, err = run("convert x.vot x.jsonl")
check("convert says that values are lost", code == 0 and contains(err,
  "warning: values are lost: NaN and infinities are null in jsonl (flux)\n"), err)
for _, name in ipairs({ "y.vot", "y.fits", "y.ecsv" }) do
  code, _, err = run("convert x.vot " .. name)
  check("nothing is said of " .. name .. ", which keeps all", code == 0 and err == "", err)
end
code, _, err = run("convert x.csv y.csv")
check("CSV from CSV warns of nothing", code == 0 and err == ""
  and read(work .. "/y.csv") == read(work .. "/x.csv"), err)
code, _, err = run("match x.vot x.vot -r 1arcsec -o mm.csv")
check("match warns of what its output does not say", code == 0 and contains(err,
  "warning: csv keeps no units, UCDs or descriptions (ra, dec, mag and 6 more)\n"), err)
local several = '<VOTABLE version="1.4"><RESOURCE>'
for i, name in ipairs({ "stars", "gti", "flats" }) do
  several = several .. '<TABLE name="' .. name .. '" nrows="1"><FIELD name="v" datatype="int"/>'
    .. "<DATA><TABLEDATA><TR><TD>" .. i .. "</TD></TR></TABLEDATA></DATA></TABLE>"
end
write(work .. "/several.vot", several .. '<INFO name="behind" value="the rows"/></RESOURCE>'
  .. "</VOTABLE>")
local left = 'warning: several.vot holds 3 tables: table 1 "stars" was read; '
  .. "--table N reads one of 2 others\n"
for args, v in pairs({ [""] = 1, ["--table 1"] = 1, ["--table 3"] = 3, ["--table gti"] = 2 }) do
  for _, to in ipairs({ "one.vot", "-" }) do -- both read twice: INFO stands behind the rows
    code, out, err = run(("convert --to votable %s several.vot %s"):format(args, to))
    local one = to == "-" and out or read(work .. "/one.vot")
    check("convert reads the table it is told: " .. args, code == 0
      and contains(one, "<TD>" .. v .. "</TD>") and select(2, one:gsub("<TR>", "")) == 1, out, err)
    check("convert says once what it left: " .. args .. to, err == (args == "" and left or ""), err)
  end
  code, out, err = run("show --json " .. args .. " several.vot")
  check("show reads the table it is told: " .. args, code == 0
    and contains(out, '{"v":' .. v .. "}"), out)
  check("show says what it left: " .. args, err == (args == "" and left or ""), err)
end
code, _, err = run("convert - --to csv <several.vot")
check("convert calls standard input by its name", code == 0
  and contains(err, "warning: standard input holds 3 tables"), err)
for _, name in ipairs({ "4", "0", "GTI" }) do
  for _, command in ipairs({ "show", "convert" }) do
    complains(command .. " of a table that is not there: " .. name,
      ("%s --table %s several.vot"):format(command, name), 2, "several.vot: there is no table ",
      name, '; there are 3: 1 "stars" (1 row), 2 "gti" (1 row), 3 "flats" (1 row)')
  end
end
complains("a table without a name", "show --table '' several.vot", 2, "is empty")
complains("a table of a format that has one", "show --table 2 x.csv", 2, "there is 1: 1")
check("that one is table 1", run("convert --table 1 x.csv x1.csv") == 0
  and read(work .. "/x1.csv") == read(work .. "/x.csv"))
complains("an ending that stands for no format", "convert " .. caom .. " x.xyz", 2, "x.xyz",
  "--to")
check("no file is left by it", not read(work .. "/x.xyz"))
check("--to chooses for any ending", run("convert --to csv " .. caom .. " x.dat") == 0
  and read(work .. "/x.dat") == read(work .. "/caom.csv"))
shell("mkdir -p " .. work .. "/v1.0")
check("a name without an ending is CSV", run("convert " .. caom .. " v1.0/x") == 0
  and read(work .. "/v1.0/x") == read(work .. "/caom.csv"))
shell("mkdir -p " .. work .. "/folder")
for _, name in ipairs({ "folder", "folder/", "absent/" }) do
  complains("a folder as the output: " .. name, "convert late.csv " .. name, 2,
    name .. " is a folder; name a file in it")
  complains("a folder as the output of match: " .. name, "match x.vot x.vot -r 1arcsec -o " .. name,
    2, name .. " is a folder; name a file in it")
end
complains("an output without a name", "convert late.csv ''", 2, "the name of the output is empty")
complains("an input without a name", "convert ''", 2, "the name of the input is empty")
complains("a folder as the input", "convert folder", 5, "folder: cannot read: ")
for _, name in ipairs({ "x.csv.gz", "x.csv.ZST" }) do
  complains("an output named like a compressed file", "convert --to csv late.csv " .. name, 2, name,
    "write x.csv and compress it")
  check("no file is left by it: " .. name, not read(work .. "/" .. name))
end
for _, command in ipairs({ "convert", "show" }) do
  complains(command .. " from a format that is only written", command .. " --from jsonl late.csv",
    2, "jsonl is only written")
end
complains("a folder that is not there", "convert " .. caom .. " nowhere/x.csv", 5, "nowhere")
local listing = io.popen("ls -A " .. work)
local names = listing:read("a")
listing:close()
for _, name in ipairs({ "cut.csv", "page.csv", "busy.csv", "error.csv", "part", "tmp" }) do
  check("nothing half-written is left: " .. name, not contains(names, name), names)
end

-- Matching. The last digits of a separation are the processor's.
local function rounded(text)
  return (text:gsub("([%d.e-]+)\n", function(sep) return ("%.6f\n"):format(tonumber(sep)) end))
end
_, out = run("match -h")
golden("help-match", out)
write(work .. "/a.csv", "id,ra,dec,mag\n1,10,20,5.5\n"
  .. "2,359.9999,0,6\n3,180,90,7\n4,50,-30,8\n5,,,9\n")
write(work .. "/b.csv", "id,RAJ2000,DEJ2000\n11,10.0001,20\n12,0.0001,0\n13,0,90\n14,50,-31\n"
  .. "15,10.0002,20\n")
code, out, err = run("match a.csv b.csv --radius 1arcsec")
check("match exits 0", code == 0, code, err)
golden("match-best", rounded(out))
check("match warns of rows without a position",
  err == "warning: csv keeps no UCDs or descriptions (sep_arcsec)\n"
  .. "warning: a.csv: 1 of 5 rows have no position and match nothing\n", err)
code, out = run("match a.csv b.csv --radius=0.0003deg --mode all")
check("match --mode all exits 0", code == 0)
golden("match-all", rounded(out))
code, out = run("match a.csv b.csv -r 1arcsec --mode symmetric -o m.csv")
check("match writes a file", code == 0 and out == ""
  and rounded(read(work .. "/m.csv")) == read(here .. "/golden/match-best.txt"))
code, out = run("match --ra1 ra --dec1 dec --ra2 RAJ2000 --dec2 DEJ2000 -r 1arcsec a.csv -",
  "cat b.csv |")
check("match reads standard input and takes column names", code == 0
  and rounded(out) == read(here .. "/golden/match-best.txt"), out)
code, out = run("match a.csv b.csv -r 1arcsec --mode nearest --nearest 2 --how left")
check("match keeps the nearest ones and rows without a partner", code == 0)
golden("match-nearest", rounded(out))
write(work .. "/hip.csv", "ra,dec,pmra,pmdec,yr,err\n"
  .. "269.45402305,4.66828815,-797.84,10326.93,1991.25,1\n")
write(work .. "/gaia.csv", "ra,dec,err\n269.44850252543836,4.739420051112412,0.5\n")
for _, options in ipairs({ "--pm1 pmra,pmdec --epoch1 yr --epoch2 2016 -r 1arcsec",
  "--pm1 auto --epoch1 1991.25 --at 2016 -r 'err arcsec' --radius2 'err arcsec'" }) do
  code, out, err = run("match hip.csv gaia.csv " .. options)
  check("match moves positions over years: " .. options, code == 0
    and select(2, out:gsub("\n", "")) == 2, out, err)
end
code, out = run("match gaia.csv hip.csv --pm2 auto --epoch2 yr --at 2000 -r 1arcsec")
check("match compares at the year it is told", code == 0 and select(2, out:gsub("\n", "")) == 1)
local places = several:gsub('"v" datatype="int"', '"ra" datatype="double"')
  :gsub("<DATA>", '<FIELD name="dec" datatype="double"/><DATA>')
  :gsub("</TD>", "</TD><TD>0</TD>") .. "</RESOURCE></VOTABLE>"
write(work .. "/places.vot", places)
code, out, err = run("match places.vot places.vot -r 1arcsec --table1 gti --table2 2")
check("match reads the tables it is told", code == 0 and contains(out, "\n2.0,0.0,2.0,0.0,"), out)
check("match is silent about the others then", not contains(err, "tables"), err)
code, out, err = run("match places.vot places.vot -r 1arcsec --table2 stars")
check("match says what it left of one", code == 0 and contains(out, "\n1.0,0.0,1.0,0.0,")
  and contains(err, 'table 1 "stars" was read; --table1 N reads one of 2 others\n')
  and not contains(err, "--table2"), out, err)
complains("a table of the second file that is not there", "match places.vot places.vot -r 1arcsec "
  .. "--table1 1 --table2 flat", 2, "places.vot: there is no table \"flat\"")
complains("motions without an epoch", "match hip.csv gaia.csv --pm1 auto -r 1arcsec", 2, "epoch")
complains("a radius column without a unit", "match hip.csv gaia.csv -r err", 2, "err arcsec")
complains("a number of nearest that is none", "match a.csv b.csv -r 1arcsec --nearest x", 2,
  "whole number")
complains("too many nearest", "match a.csv b.csv -r 1arcsec --mode nearest --nearest 1001", 2,
  "1000")
complains("an unknown join", "match a.csv b.csv -r 1arcsec --how outer", 2, "left")
complains("a match without radius", "match a.csv b.csv", 2, "--radius 1arcsec")
complains("a radius without unit", "match a.csv b.csv -r 1", 2, "--radius", "arcsec")
complains("a radius that is negative", "match a.csv b.csv -r=-1arcsec", 2, "radius")
complains("an unknown match mode", "match a.csv b.csv -r 1arcsec --mode beast", 2, "symmetric")
complains("an unknown position column", "match a.csv b.csv -r 1arcsec --ra1 rr --dec1 dec", 2,
  "left table", "rr")
complains("half a position", "match a.csv b.csv -r 1arcsec --ra2 RAJ2000", 2, "declination")
write(work .. "/c.csv", "id,name\n1,x\n")
complains("a table without positions", "match a.csv c.csv -r 1arcsec -o n.csv", 2, "right table",
  "name the columns")
complains("a match with a missing table", "match a.csv absent.csv -r 1arcsec", 2, "absent.csv")
complains("a match of standard input with itself", "match - - -r 1arcsec", 2, "standard input")
check("a failed match leaves no file", not read(work .. "/n.csv"))

-- 400 places within a second of arc: 160,000 pairs, so that the output waits for its reader.
local crowd = { "id,ra,dec\n" }
for i = 1, 400 do
  crowd[#crowd + 1] = ("%d,10.%06d,20\n"):format(i, i % 100)
end
write(work .. "/crowd.csv", table.concat(crowd))
write(work .. "/signal.sh", ([[
cd %s
mkfifo pairs
%s match crowd.csv crowd.csv --mode all -r 1arcsec >pairs 2>err &
pid=$!
{ head -c 1 >/dev/null; kill -INT $pid; cat >/dev/null; } <pairs
wait $pid]]):format(work, quote(halyard)))
check("Ctrl-C ends a match that writes with 130", shell("sh " .. work .. "/signal.sh") == 130,
  read(work .. "/err"))

-- Workflows
local flows = quote(here .. "/workflows")
local hello = quote(here .. "/workflows/hello.lua")
code, out, err = run("run " .. hello .. " --who Messier --offset -27.5 -o o1")
check("a workflow's result is on standard output", code == 0 and contains(out, "hello Messier"),
  out, err)
check("a negative number is a parameter's value", contains(out, "-27.5"), out)
check("nothing but the result is there", not contains(out, "requests"), out)
check("a run leaves its report", contains(read(work .. "/o1/report.json"), '"complete"'))
code, out, err = run("run hello --workflow-path " .. flows .. " --who=a=b --quiet -o o2")
check("a workflow is found by name", code == 0 and contains(out, "hello a=b"), err)
check("--quiet leaves standard error empty", err == "", err)
code, out, err = run("run hello --json -o o3", "HALYARD_PATH=" .. flows)
check("--json writes JSON", code == 0 and contains(out, '"hello world"'), out)
for line in err:gmatch("[^\n]+") do
  check("--json writes events as JSON", line:find('^{"event":"%a+","data":{.*}}$'), line)
end
code, out = run("list --workflow-path " .. flows)
check("list shows workflows", code == 0 and contains(out, "Greets somebody after a moment"), out)
code, out = run("help hello --workflow-path " .. flows)
check("help shows a workflow's parameters", code == 0 and contains(out, "whom to greet"), out)

_, out = run("help " .. hello)
check("help shows a size as it is written", contains(out, "at most: download 2 GiB\n"), out)
check("an example of a workflow given by path names that path",
  contains(out, "halyard run " .. here .. "/workflows/hello.lua --who Messier"), out)
code, out = run("check " .. quote(here .. "/workflows/chatty.lua"))
check("check of a workflow without a version", code == 0 and out == "chatty: in order\n", out)
code, _, err = run("run " .. hello .. " -o o1//")
check("a slash after the folder's name changes nothing", code == 0
  and contains(err, "0 requests in all, 0 bytes, ") and contains(err, "everything is in o1\n"), err)
complains("a missing workflow", "run nowhere/absent.lua", 2, "nowhere/absent.lua")
complains("an unknown workflow", "run helo --workflow-path " .. flows, 2, "helo", "hello")
complains("a misspelt parameter", "run " .. hello .. " --woh x", 2, "woh", "who")
complains("a misspelt option of the command", "run " .. hello .. " --outptu x", 2, "outptu",
  "did you mean --output?")
complains("a parameter without its value", "run " .. hello .. " --offset", 2,
  "--offset needs a value")
code, out = run("run " .. hello .. " --help")
check("run WORKFLOW --help shows options and parameters", code == 0 and contains(out, "--output")
  and contains(out, "whom to greet"), out)
complains("a parameter out of its limits", "run " .. hello .. " --offset 91", 2, "offset", "90")
complains("an archive that is no URL", "run " .. hello .. " --archive ftp://x", 2, "ftp://x")
complains("an unknown interface", "run " .. hello .. " --base mashop=http://x", 2, "mashop")
code, _, err = run("run " .. quote(here .. "/workflows/broken.lua") .. " -o o4")
check("a workflow's own error exits 1", code == 1 and contains(err, "no luck today"), code, err)
check("the report says that it failed", contains(read(work .. "/o4/report.json"), '"failed"'))
local greedy = quote(here .. "/workflows/greedy.lua")
for _, what in ipairs({ "memory", "cpu", "wall" }) do
  code, _, err = run(("run %s --what %s -o o9"):format(greedy, what))
  check("a used-up budget exits 8: " .. what, code == 8 and contains(err, "budget." .. what), code,
    err)
end
write(work .. "/file", "")
code, _, err = run("run " .. hello .. " -o file/below")
check("an output folder that cannot be made exits 5 and names the remedy", code == 5
  and contains(err, "file") and contains(err, "; choose another with --output\n"), code, err)
complains("a folder that takes no file", "run " .. hello .. " -q -o /proc", 5,
  "cannot write .halyard/lock in the output folder /proc: ", "; choose another with --output")

-- Progress and messages
code, out, err = run("run " .. quote(here .. "/workflows/chatty.lua") .. " -o o6")
check("progress and messages go to standard error", code == 0 and out == "", out)
check("progress names stage, tiles, rows and bytes",
  err:find("tiles  1/3 tiles  12 rows  1%.5 MB  %d+%.%d s\n"), err)
check("a new stage is shown at once", err:find("files  2 files  %d+%.%d s\n"), err)
check("what a script logs and prints is shown", contains(err, "a line\none\t2\t"), err)
check("a script cannot steer the terminal", contains(err, "?[31mred") and not err:find("\27"), err)
check("warnings are marked", contains(err, "\nwarning: careful\n"), err)
_, _, err = run("run " .. quote(here .. "/workflows/chatty.lua") .. " -o o6 -q")
check("--quiet leaves the warnings", err == "warning: careful\n", err)

-- The practice archive: a stand-in beside a copy of the command
local function with_practice(script, args)
  shell(("mkdir -p %s/bin && cp %s %s/bin/halyard && ln -sfn %s %s/lib"):format(work,
    quote(halyard), work, quote(halyard:gsub("[^/]*/[^/]*$", "lib")), work))
  os.remove(work .. "/bin/halyard-practice")
  if script then
    write(work .. "/bin/halyard-practice", "#!/bin/sh\n" .. script)
    shell(("chmod +x %s/bin/halyard-practice"):format(work))
  end
  local exit = shell(("cd %s && PATH=/usr/bin:/bin bin/halyard run %s --archive practice -o o7 %s "
    .. ">out 2>err"):format(work, hello, args or ""))
  return exit, read(work .. "/err")
end
local function is_alive(pid_file)
  return shell(("kill -0 $(cat %s/%s) 2>/dev/null"):format(work, pid_file)) == 0
end
code, err = with_practice(
  'echo $$ >pid; echo "$*" >args; echo http://127.0.0.1:9; exec sleep 1000')
check("--archive practice runs with the archive it starts", code == 0, code, err)
check("the practice archive gets a free port", read(work .. "/args") == "--port 0\n")
check("the practice archive is ended", not is_alive("pid"))
code, err = with_practice("echo it broke >&2; exit 3")
check("a practice archive that fails exits 5",
  code == 5 and contains(err, "halyard: the practice archive ended at once"), code, err)
code, err = with_practice("echo hello; exec sleep 1000")
check("a practice archive without an address exits 5", code == 5 and contains(err, "no address"),
  code, err)
code, err = with_practice(nil)
check("a missing practice archive exits 5 and names the remedy",
  code == 5 and contains(err, "./scripts/build"), code, err)

-- Signals. The progress line tells that the script runs.
local function interrupted(signal, args)
  local script = ([[
cd %s
rm -f err
%s run %s -o o5 %s 2>err &
pid=$!
until grep -qs asleep err; do
  kill -0 $pid 2>/dev/null || break
done
kill -%s $pid
wait $pid]]):format(work, quote(halyard), quote(here .. "/workflows/sleeper.lua"), args, signal)
  write(work .. "/signal.sh", script)
  return shell("sh " .. work .. "/signal.sh")
end
check("Ctrl-C ends a waiting run with 130", interrupted("INT", "") == 130)
err = read(work .. "/err")
check("and says how to go on", contains(err, "halyard: interrupted; what has come is kept: run the "
  .. "same command again to go on\n"), err)
check("Ctrl-C ends a computing run with 130", interrupted("INT", "--busy true") == 130)
check("SIGTERM ends a run with 143", interrupted("TERM", "") == 143)
write(work .. "/signal.sh", ([[
cd %s
%s run %s -o o11 2>err &
pid=$!
until ls -a o11 2>/dev/null | grep -q late.csv; do
  kill -0 $pid 2>/dev/null || break
done
kill -INT $pid
wait $pid]]):format(work, quote(halyard), quote(here .. "/workflows/scribe.lua")))
check("Ctrl-C ends a run that writes a table with 130", shell("sh " .. work .. "/signal.sh") == 130,
  read(work .. "/err"))
check("nothing is left of the table", shell("! ls -a " .. work .. "/o11 | grep -q late.csv") == 0)
with_practice('echo $$ >pid2; echo http://127.0.0.1:9; exec sleep 1000', "--help")
write(work .. "/signal.sh", ([[
cd %s
rm -f err
bin/halyard run %s -o o8 --archive practice 2>err &
pid=$!
until grep -qs asleep err; do
  kill -0 $pid 2>/dev/null || break
done
kill -KILL $pid
wait $pid
while kill -0 $(cat pid2) 2>/dev/null; do :; done]]):format(work,
  quote(here .. "/workflows/sleeper.lua")))
check("the practice archive ends with a killed command", shell("timeout 60 sh " .. work
  .. "/signal.sh 2>/dev/null") ~= 124)
check("an interrupted run is recorded as unfinished",
  contains(read(work .. "/o5/report.json"), '"unfinished"'))

-- Options of the practice archive
for args, says in pairs({
  ["--frob"] = "there is no option --frob", ["--seed"] = "--seed needs a value",
  ["--port no"] = "'no' is not a number", ["--dump gaia"] = "--dump needs --region",
  ["x"] = "'x' is one argument too many", ["--faults nosuch=1"] = "no fault is called 'nosuch'",
}) do
  code = shell(("cd %s && timeout 60 %s %s >out 2>err"):format(work, quote(halyard .. "-practice"),
    args))
  err = read(work .. "/err")
  check("a wrong option of the practice archive exits 2: " .. args, code == 2, code)
  check("it is named in one line: " .. args, contains(err, says)
    and err:find("^halyard%-practice: [^\n]+\n$"), err)
end

-- A reader that goes away is no error message
code = shell(("cd %s && { %s list --workflow-path %s 2>err; } | true"):format(work, quote(halyard),
  flows))
check("a closed pipe is quiet", code == 0 and read(work .. "/err") == "", read(work .. "/err"))

-- A full disk is one
for _, args in ipairs({ "help", "list --workflow-path " .. flows, "run " .. hello,
  "run " .. hello .. " --format json", "convert " .. caom }) do
  code = shell(("cd %s && %s %s >/dev/full 2>err"):format(work, quote(halyard), args))
  err = read(work .. "/err")
  check("a full standard output exits 5: " .. args, code == 5, code, err)
  check("a full standard output is named: " .. args, contains(err, "No space left on device")
    and err:find("halyard: [^\n]+\n$"), err)
end

shell("rm -rf " .. quote(work))
if n_failed > 0 then
  print(n_failed .. " checks failed")
  os.exit(1)
end

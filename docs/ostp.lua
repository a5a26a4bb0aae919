-- Wireshark's view of OSTP, the Open Sonic Transport Protocol.
--
--   wireshark -X lua_script:docs/ostp.lua         or copy this file into Wireshark's folder of plugins
--   tshark -X lua_script:docs/ostp.lua -r house.pcap -Y 'ostp.crc.status == "bad"'
--
-- It takes UDP ports 5004 and 5100, and packets of OSTP on any other port. Control
-- lines on another port: right-click, Decode As, OSTP. What else shares the ports
-- (RTCP, DTLS, STUN, plain RTP) goes to Wireshark's own dissectors; so does 5005.

local ostp = Proto("ostp", "Open Sonic Transport Protocol")

local payload_types = {
	[96] = "Opus", [97] = "PCM S16LE", [98] = "AAC-LC", [100] = "PCM S24LE", [101] = "FLAC",
	[111] = "Opus (as 111)", [112] = "Opus (as 112)", [126] = "NACK", [127] = "FEC",
}

local f = {
	version = ProtoField.uint8("ostp.version", "Version", base.DEC, nil, 0xC0),
	padding = ProtoField.bool("ostp.padding", "Padding", 8, nil, 0x20),
	extension = ProtoField.bool("ostp.extension", "Extension", 8, nil, 0x10),
	cc = ProtoField.uint8("ostp.cc", "CSRC count", base.DEC, nil, 0x0F),
	marker = ProtoField.bool("ostp.marker", "Marker", 8, nil, 0x80),
	pt = ProtoField.uint8("ostp.pt", "Payload type", base.DEC, payload_types, 0x7F),
	seq_low = ProtoField.uint16("ostp.seq_low", "Sequence (low 16 bits)"),
	seq = ProtoField.uint32("ostp.seq", "Sequence (32 bits)"),
	timestamp = ProtoField.uint32("ostp.timestamp", "RTP timestamp"),
	ssrc = ProtoField.uint32("ostp.ssrc", "SSRC", base.HEX),
	csrc = ProtoField.uint32("ostp.csrc", "CSRC", base.HEX),
	profile = ProtoField.uint16("ostp.profile", "Extension profile", base.HEX),
	length = ProtoField.uint16("ostp.length", "Extension length (words)"),
	stream = ProtoField.uint16("ostp.stream_id", "Stream id"),
	seq_ext = ProtoField.uint16("ostp.seq_ext", "Sequence (high 16 bits)"),
	media = ProtoField.uint32("ostp.media_timestamp", "Media timestamp (48 kHz)"),
	media_time = ProtoField.double("ostp.media_time", "Media time (s)"),
	surplus = ProtoField.bytes("ostp.surplus", "Surplus words"),
	payload = ProtoField.bytes("ostp.payload", "Payload"),
	crc = ProtoField.uint32("ostp.crc", "CRC-32", base.HEX),
	crc_status = ProtoField.string("ostp.crc.status", "CRC status"),
	nack = ProtoField.uint16("ostp.nack.seq", "Missing sequence"),
	fec_version = ProtoField.uint8("ostp.fec.version", "Version of the FEC"),
	fec_k = ProtoField.uint8("ostp.fec.k", "Data packets of the block (k)"),
	fec_m = ProtoField.uint8("ostp.fec.m", "Parity packets of the block (m)"),
	fec_index = ProtoField.uint8("ostp.fec.index", "Index of this parity packet"),
	fec_first = ProtoField.uint32("ostp.fec.first", "Sequence of the first data packet"),
	fec_ssrc = ProtoField.uint32("ostp.fec.ssrc", "SSRC of the data", base.HEX),
	fec_parity = ProtoField.bytes("ostp.fec.parity", "Parity"),
	line = ProtoField.string("ostp.line", "Line"),
	verb = ProtoField.string("ostp.line.verb", "Verb"),
	t1 = ProtoField.uint64("ostp.probe.t1", "T1, asked (ns)"),
	t2 = ProtoField.uint64("ostp.probe.t2", "T2, received (ns)"),
	t3 = ProtoField.uint64("ostp.probe.t3", "T3, sent (ns)"),
}

-- The fields of lines.
for _, name in ipairs({ "channel", "password", "name", "device", "options", "text", "address", "time", "way",
	"token", "id", "payload", "role", "session", "mode", "word" }) do
	f["line_" .. name] = ProtoField.string("ostp.line." .. name, name)
end
ostp.fields = f

local bad_crc = ProtoExpert.new("ostp.crc.bad", "The CRC is bad: a receiver drops this packet", expert.group.CHECKSUM, expert.severity.ERROR)
local other_crc = ProtoExpert.new("ostp.crc.other", "The CRC is of another reading of the draft: only a tolerant receiver takes it",
	expert.group.CHECKSUM, expert.severity.WARN)
local malformed = ProtoExpert.new("ostp.malformed", "Malformed: it is not taken", expert.group.MALFORMED, expert.severity.ERROR)
local unknown_pt = ProtoExpert.new("ostp.pt.unknown", "The payload type is not known: a receiver drops this packet", expert.group.UNDECODED,
	expert.severity.NOTE)
ostp.experts = { bad_crc, other_crc, malformed, unknown_pt }

-- CRC-32 of IEEE, by a table. Numbers are brought into 0 to 2^32-1 by mod.
local bits = bit or bit32
local function unsigned(n) return n % 4294967296 end

local crc_table = {}
for i = 0, 255 do
	local c = i
	for _ = 1, 8 do
		local odd = c % 2 == 1
		c = math.floor(c / 2)
		if odd then c = unsigned(bits.bxor(c, 0xEDB88320)) end
	end
	crc_table[i] = c
end

local function crc32(text)
	local c = 0xFFFFFFFF
	for i = 1, #text do
		local index = bits.band(bits.bxor(c, text:byte(i)), 0xFF)
		c = unsigned(bits.bxor(math.floor(c / 256), crc_table[index]))
	end
	return 0xFFFFFFFF - c
end

-- crc_status says by which reading the trailer is good.
local function crc_status(tvb, payload)
	local body = tvb:len() - 4
	if tvb:captured_len() < tvb:reported_len() then return "unverified" end
	local whole, little, big = crc32(tvb:raw(0, body)), tvb(body, 4):le_uint(), tvb(body, 4):uint()
	if whole == little then return "good" end
	if whole == big then return "packet_big_endian" end
	local part = body > payload and tvb:raw(payload, body - payload) or ""
	if crc32(part) == big then return "payload_big_endian" end
	return "bad"
end

local function is_ostp(tvb)
	if tvb:len() < 28 then return false end
	local first = tvb(0, 1):uint()
	local extension = 12 + 4 * (first % 16)
	if math.floor(first / 16) ~= 9 or tvb:len() < extension + 16 then return false end
	local words = tvb(extension + 2, 2):uint()
	return tvb(extension, 2):uint() == 0x4F53 and words >= 2 and tvb:len() >= extension + 4 + 4 * words + 4
end

local function dissect_nack(payload, tree)
	local count = payload:len() / 2
	if count < 1 or count > 32 or payload:len() % 2 == 1 then
		tree:add_proto_expert_info(malformed, "A NACK has 1 to 32 sequence numbers")
		return "malformed"
	end
	local missing = {}
	for i = 0, count - 1 do
		tree:add(f.nack, payload(2 * i, 2))
		missing[#missing + 1] = tostring(payload(2 * i, 2):uint())
	end
	return "asks for " .. table.concat(missing, " ")
end

local function dissect_fec(payload, tree, ssrc)
	if payload:len() < 15 or payload:len() > 1172 then
		tree:add_proto_expert_info(malformed, "Parity has 15 to 1172 bytes")
		return "malformed"
	end
	local k, m, index, first = payload(1, 1):uint(), payload(2, 1):uint(), payload(3, 1):uint(), payload(4, 4):uint()
	tree:add(f.fec_version, payload(0, 1))
	tree:add(f.fec_k, payload(1, 1))
	tree:add(f.fec_m, payload(2, 1))
	tree:add(f.fec_index, payload(3, 1))
	tree:add(f.fec_first, payload(4, 4))
	tree:add(f.fec_ssrc, 0xFFFFFFFF - ssrc):set_generated()
	tree:add(f.fec_parity, payload(8))
	if payload(0, 1):uint() ~= 1 or k < 1 or k > 64 or m < 1 or m > 64 or index >= m then
		tree:add_proto_expert_info(malformed, "A block has 1 to 64 packets, and 1 to 64 of parity")
		return "malformed"
	end
	return string.format("parity %d of %d for %d–%d", index + 1, m, first, unsigned(first + k - 1))
end

local function dissect_header(tvb, tree, extension)
	for _, field in ipairs({ f.version, f.padding, f.extension, f.cc }) do tree:add(field, tvb(0, 1)) end
	tree:add(f.marker, tvb(1, 1))
	tree:add(f.pt, tvb(1, 1))
	tree:add(f.seq_low, tvb(2, 2))
	tree:add(f.timestamp, tvb(4, 4))
	tree:add(f.ssrc, tvb(8, 4))
	for at = 12, extension - 4, 4 do tree:add(f.csrc, tvb(at, 4)) end
	local words = tvb(extension + 2, 2):uint()
	tree:add(f.profile, tvb(extension, 2))
	tree:add(f.length, tvb(extension + 2, 2))
	tree:add(f.stream, tvb(extension + 4, 2))
	tree:add(f.seq_ext, tvb(extension + 6, 2))
	tree:add(f.media, tvb(extension + 8, 4))
	if words > 2 then tree:add(f.surplus, tvb(extension + 12, 4 * words - 8)) end
end

local function dissect_packet(tvb, pinfo, root)
	local extension = 12 + 4 * (tvb(0, 1):uint() % 16)
	local start = extension + 4 + 4 * tvb(extension + 2, 2):uint()
	local body = tvb:len() - 4
	local pt, ssrc = tvb(1, 1):uint() % 128, tvb(8, 4):uint()
	local seq = tvb(extension + 6, 2):uint() * 65536 + tvb(2, 2):uint()
	local tree = root:add(ostp, tvb())
	dissect_header(tvb, tree, extension)
	tree:add(f.seq, seq):set_generated()
	tree:add(f.media_time, tvb(extension + 8, 4):uint() / 48000):set_generated()
	if body - start > 12288 then tree:add_proto_expert_info(malformed, "A payload has up to 12288 bytes") end
	local info = string.format("%s seq %d", payload_types[pt] or ("payload type " .. pt), seq)
	if body > start then tree:add(f.payload, tvb(start, body - start)) end
	local payload = body > start and tvb(start, body - start):tvb()
	if pt == 126 and payload then
		info = info .. " " .. dissect_nack(payload, tree)
	elseif pt == 127 and payload then
		info = info .. " " .. dissect_fec(payload, tree, ssrc)
	elseif pt == 126 or pt == 127 then
		tree:add_proto_expert_info(malformed, "It is empty")
	elseif not payload_types[pt] then
		tree:add_proto_expert_info(unknown_pt)
	end
	local status = crc_status(tvb, start)
	local crc = tree:add_le(f.crc, tvb(body, 4))
	tree:add(f.crc_status, status):set_generated()
	if status == "bad" then
		crc:add_proto_expert_info(bad_crc)
		info = info .. " [bad CRC]"
	elseif status ~= "good" and status ~= "unverified" then
		crc:add_proto_expert_info(other_crc)
	end
	tree:append_text(string.format(", SSRC %08X, %s", ssrc, info))
	pinfo.cols.protocol = "OSTP"
	pinfo.cols.info = string.format("SSRC %08X %s", ssrc, info)
	return tvb:len()
end

-- Lines: each verb has a check, which returns the fields or nothing.

local function is_word(s) return #s >= 1 and #s <= 64 and s:match("^[%w_=-]+$") ~= nil end
local function is_id(s) return #s == 8 and s:match("^[0-9a-f]+$") ~= nil end
local function is_role(s) return s == "owner" or s == "dj" or s == "listener" end

local function one(name, check)
	return function(rest) if check(rest) then return { [name] = rest } end end
end

local function any(name) return one(name, function(rest) return #rest <= 128 end) end

-- cut_address splits "address:port" off, and returns what follows a colon.
local function cut_address(text)
	local host, port, rest = text:match("^(%[[%x:.]+%]):(%d+)(.*)$")
	if not host or not host:find(":") then
		host, port, rest = text:match("^(%d+%.%d+%.%d+%.%d+):(%d+)(.*)$")
		for part in (host or ""):gmatch("%d+") do
			if tonumber(part) > 255 then return nil end
		end
	end
	if not host or tonumber(port) > 65535 then return nil end
	if rest ~= "" and rest:sub(1, 1) ~= ":" then return nil end
	return host .. ":" .. port, rest:sub(2), rest ~= ""
end

local function address(rest)
	local at, _, more = cut_address(rest)
	if at and not more then return { address = at } end
end

local known_options = { fec = true, send = true, quiet = true }
local function is_options(text) return known_options[text:match("^[^,]*")] == true end

local function join(rest)
	local parts = {}
	for _ = 1, 3 do
		local before, after = rest:match("^([^:]*):(.*)$")
		parts[#parts + 1] = before or rest
		rest = after or ""
		if not before then break end
	end
	local j = { channel = parts[1], password = parts[2] or "", name = parts[3] or "", device = rest }
	local device, options = j.device:match("^(.*):([^:]*)$")
	if options and is_options(options) then
		j.device, j.options = device, options
		local _, again = device:match("^(.*):([^:]*)$")
		if again and is_options(again) then return nil end
	end
	if j.channel == "" then return nil end
	for _, name in ipairs({ "channel", "password", "name", "device" }) do
		if #j[name] > 128 then return nil end
	end
	return j
end

local verbs = {
	JOIN = join,
	LEAVE = any("channel"), HELLO = any("text"), PONG = any("text"), OK = any("text"), MOVE = any("text"),
	PING = function(rest)
		local at, time = cut_address(rest)
		if at and time ~= "" then return { address = at, time = time } end
		return any("text")(rest)
	end,
	ROUTE = function(rest)
		local at, way = cut_address(rest)
		if at and (way == "p2p" or way == "relay") then return { address = at, way = way } end
	end,
	SIGNAL = function(rest)
		local id, payload = rest:match("^([^:]*):(.+)$")
		if id and is_id(id) and #payload <= 1000 and payload:match("^[%w_=-]+$") then return { id = id, payload = payload } end
	end,
	MEMBER = function(rest)
		local id, role = rest:match("^([^:]*):(.+)$")
		if id and is_id(id) and is_role(role) then return { id = id, role = role } end
	end,
	CHALLENGE = one("token", is_word), ERR = one("word", is_word), DESCRIPTION = one("text", is_word),
	ID = one("id", is_id), GONE = one("id", is_id), ROLE = one("role", is_role),
	SESSION = one("session", function(s) return #s == 32 and s:match("^[0-9a-f]+$") ~= nil end),
	MODE = one("mode", function(s) return s == "public" or s == "private" end),
	YOUR_ADDR = address, PEER = address,
}

local spaced = { JOIN = true, LEAVE = true, PING = true }

-- utf8_length returns how many bytes a character has by its first; nil for none.
local function utf8_length(c)
	if c < 0x80 then return 1 end
	if c >= 0xC2 and c <= 0xDF then return 2 end
	if c >= 0xE0 and c <= 0xEF then return 3 end
	if c >= 0xF0 and c <= 0xF4 then return 4 end
end

local function is_text(s)
	if s:find("[%c]") then return false end
	local i = 1
	while i <= #s do
		local n = utf8_length(s:byte(i))
		if not n or not s:sub(i + 1, i + n - 1):match("^[\128-\191]*$") or i + n - 1 > #s then return false end
		i = i + n
	end
	return true
end

-- read_line returns verb and fields, or verb, nothing, and what is wrong.
local function read_line(raw)
	local text = raw:gsub("\r?\n$", "")
	local verb, sign, rest = text:match("^([^: ]*)([: ]?)(.*)$")
	if sign == " " then
		if not spaced[verb] then return verb, nil, "verb is not known" end
		local words = {}
		for word in rest:gmatch("%S+") do words[#words + 1] = word end
		rest = table.concat(words, ":")
	end
	if #raw > 1024 or #raw > 512 and verb ~= "SIGNAL" then return verb, nil, "line is too long" end
	if not verbs[verb] then return verb, nil, "verb is not known" end
	if not is_text(text) then return verb, nil, "not UTF-8 text of one line" end
	local fields = verbs[verb](rest)
	if not fields then return verb, nil, "a field is wrong" end
	return verb, fields
end

local function dissect_line(tvb, pinfo, root)
	local raw = tvb:raw()
	local verb, fields, wrong = read_line(raw)
	local tree = root:add(ostp, tvb(), "OSTP control line")
	tree:add(f.line, tvb())
	tree:add(f.verb, tvb(0, math.min(#verb, tvb:len())), verb)
	for name, value in pairs(fields or {}) do
		if value ~= "" then tree:add(f["line_" .. name], value) end
	end
	if wrong then tree:add_proto_expert_info(malformed, "Malformed: " .. wrong) end
	pinfo.cols.protocol = "OSTP"
	pinfo.cols.info = (wrong and "[" .. wrong .. "] " or "") .. raw:gsub("%c+$", ""):gsub("%c", "?")
	return tvb:len()
end

local function dissect_probe(tvb, pinfo, root)
	local tree = root:add(ostp, tvb(), "OSTP clock probe")
	for i, field in ipairs({ f.t1, f.t2, f.t3 }) do tree:add_le(field, tvb(8 * i - 7, 8)) end
	pinfo.cols.protocol = "OSTP"
	pinfo.cols.info = "clock probe"
	return tvb:len()
end

-- hand_over gives a datagram to one of Wireshark's dissectors, if it has it.
local function hand_over(name, tvb, pinfo, root)
	local found, other = pcall(Dissector.get, name)
	if not found or not other then return 0 end
	return other:call(tvb, pinfo, root)
end

function ostp.dissector(tvb, pinfo, root)
	if tvb:len() == 0 then return 0 end
	if is_ostp(tvb) then return dissect_packet(tvb, pinfo, root) end
	local first = tvb(0, 1):uint()
	local second = tvb:len() > 1 and tvb(1, 1):uint() or 0
	if first >= 128 and first <= 191 then
		return hand_over(second >= 192 and second <= 223 and "rtcp" or "rtp", tvb:range():tvb(), pinfo, root)
	elseif first == 0x7D and tvb:len() == 25 then
		return dissect_probe(tvb, pinfo, root)
	elseif first >= 20 and first <= 26 and second == 0xFE then
		return hand_over("dtls", tvb:range():tvb(), pinfo, root)
	elseif tvb:len() >= 20 and first < 64 and tvb(4, 4):uint() == 0x2112A442 then
		return hand_over("stun-udp", tvb:range():tvb(), pinfo, root)
	elseif tvb:raw(0, 1):match("[%a\r\n]") then
		return dissect_line(tvb, pinfo, root)
	end
	return 0
end

ostp:register_heuristic("udp", function(tvb, pinfo, root)
	if not is_ostp(tvb) then return false end
	dissect_packet(tvb, pinfo, root)
	return true
end)

local ports = DissectorTable.get("udp.port")
ports:add(5004, ostp)
ports:add(5100, ostp)
ports:add(5005, Dissector.get("rtcp"))

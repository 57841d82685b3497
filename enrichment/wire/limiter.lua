-- The fleet's one limiter: turns, slots, tickets, pauses and breaker of one source, on Redis' own clock.
-- KEYS[1] the source's state (hash); KEYS[2] slots (zset: turn -> end of its lease); KEYS[3] tickets (zset: name -> end).
-- ARGV[1] the operation, the rest its arguments; limits are given as rate (per second), burst, rate, burst, ...
-- Times are milliseconds, with fractions; in replies as text, since Lua numbers in replies are cut to integers.
-- No key expires: a missing state means a cold start, never a full bucket.
--
-- state: last      newest clock reading, so that a clock set back a little cannot give turns twice
--        tat<i>    theoretical arrival time of limit i (GCRA): turns
--        pace<i>   the same of requests, as they were written
--        pause     no turn before this moment
--        since     when the last pause began
--        reason    why it was paused last
--        factor    share of the budget that refusals have left, 0.1 to 1
--        refusals  refusals of ours since the last success; strikes: failures in a row, for the breaker
--        probing   1 after a pause: one slot until a success
--        turns     turns given, counted; calls: requests written
--        latency   moving mean of a call's time

local key, slots, tickets = KEYS[1], KEYS[2], KEYS[3]

-- Requests follow each other at no less than this share of a limit's interval, whenever their turns were: a worker that
-- is late for its moment would come close before the next one, who is on time. Below 1, so that lost time is made good.
local PACE = 0.97

local function number(name, default)
  return tonumber(redis.call('HGET', key, name) or default)
end

local function set(...)
  redis.call('HSET', key, ...)
end

local function text(value)
  return string.format('%.3f', value)
end

-- The clock was set back far: everything lies as far ahead as it did, rather than freeze for the difference.
local function shift(by)
  local state = redis.call('HGETALL', key)
  for i = 1, #state, 2 do
    local name = state[i]
    if name == 'pause' or name == 'since' or string.match(name, '^tat%d') or string.match(name, '^pace%d') then
      set(name, state[i + 1] + by)
    end
  end
  for _, set_of in ipairs({ slots, tickets }) do
    for _, name in ipairs(redis.call('ZRANGE', set_of, 0, -1)) do redis.call('ZINCRBY', set_of, by, name) end
  end
end

local function clock()
  local t = redis.call('TIME')
  local now = t[1] * 1000 + t[2] / 1000
  local last = number('last', now)
  if last - now > 5000 then
    shift(now - last)
  elseif last > now then
    now = last
  end
  set('last', now)
  return now
end

local function limits_from(first)
  local limits, factor = {}, number('factor', 1)
  for i = first, #ARGV, 2 do
    limits[#limits + 1] = { interval = 1000 / (tonumber(ARGV[i]) * factor), burst = tonumber(ARGV[i + 1]) }
  end
  return limits
end

-- The arrival time of limit i: after a pause there is one turn in the bucket, not a burst.
local function arrival(i, limit, now)
  local after_pause = number('pause', 0) + (limit.burst - 1) * limit.interval
  return math.max(number('tat' .. i, now + limit.burst * limit.interval), after_pause)
end

-- The moment of the next turn: the latest that any limit asks for.
local function next_moment(now, limits)
  local at = now
  for i, limit in ipairs(limits) do
    at = math.max(at, arrival(i, limit, now) - (limit.burst - 1) * limit.interval)
  end
  return at
end

local function spend(now, at, limits)
  for i, limit in ipairs(limits) do set('tat' .. i, math.max(arrival(i, limit, now), at) + limit.interval) end
end

-- When the next request may be written.
local function next_request(now, limits)
  local at = now
  for i, limit in ipairs(limits) do
    at = math.max(at, number('pace' .. i, 0) - (limit.burst - 1) * limit.interval * PACE)
  end
  return at
end

local function write(now, limits)
  for i, limit in ipairs(limits) do
    set('pace' .. i, math.max(number('pace' .. i, 0), now) + limit.interval * PACE)
  end
end

local function hold(now, moment, reason)
  if number('pause', 0) <= now then set('since', now) end
  set('pause', moment, 'reason', reason, 'probing', 1)
  return text(moment - now)
end

-- {"cold"} or {"paused", how long}, or nothing where turns may be given.
local function closed(now)
  if redis.call('HEXISTS', key, 'pause') == 0 then return { 'cold' } end
  local pause = number('pause', 0)
  if pause > now then return { 'paused', text(pause - now) } end
end

local operations = {}

-- take TURN LONGEST_WAIT SLOTS LEASE limits: a moment and a slot, or neither. The moment lies at most LONGEST_WAIT ahead;
-- whoever comes next gets the next one.
function operations.take()
  local now = clock()
  local no = closed(now)
  if no then return no end
  redis.call('ZREMRANGEBYSCORE', slots, '-inf', now)
  local free = tonumber(ARGV[4])
  if number('probing', 0) == 1 then free = 1 end
  if redis.call('ZCARD', slots) >= free then return { 'full' } end
  local limits = limits_from(6)
  local at = next_moment(now, limits)
  if at - now > tonumber(ARGV[3]) then return { 'wait', text(at - now) } end
  spend(now, at, limits)
  redis.call('ZADD', slots, at + tonumber(ARGV[5]), ARGV[2])
  return { 'turn', text(at - now), redis.call('HINCRBY', key, 'turns', 1) }
end

-- use AGAIN limits: may the request be written now? AGAIN is 1 where the turn in hand is stale, or has been used by an
-- earlier request of the same call: a new moment is taken, in the same slot.
function operations.use()
  local now = clock()
  local no = closed(now)
  if no then return no end
  local limits = limits_from(3)
  if ARGV[2] == '0' then
    local at = next_request(now, limits)
    if at - now >= 1 then return { 'wait', text(at - now) } end
    write(now, limits)
    redis.call('HINCRBY', key, 'calls', 1)
    return { 'go' }
  end
  local at = next_moment(now, limits)
  spend(now, at, limits)
  redis.call('HINCRBY', key, 'turns', 1)
  return { 'wait', text(at - now) }
end

-- late BY limits: a request was written so much later than was permitted.
function operations.late()
  for i in ipairs(limits_from(3)) do
    if redis.call('HEXISTS', key, 'pace' .. i) == 1 then set('pace' .. i, number('pace' .. i) + tonumber(ARGV[2])) end
  end
  return { 'ok' }
end

-- free TURN UNUSED limits: the call has ended. UNUSED is the number of a turn whose moment was not used, else 0; it is
-- given back only while nobody has taken a later one, or two calls could have the same moment; and only once, since
-- whoever had no answer asks again.
function operations.free()
  local held = redis.call('ZREM', slots, ARGV[2]) == 1
  if held and ARGV[3] ~= '0' and ARGV[3] == redis.call('HGET', key, 'turns') then
    for i, limit in ipairs(limits_from(4)) do
      if redis.call('HEXISTS', key, 'tat' .. i) == 1 then set('tat' .. i, number('tat' .. i) - limit.interval) end
    end
  end
  return { 'ok' }
end

-- succeeded LATENCY: an answer came. Answers to calls from before a pause do not end the caution after it.
function operations.succeeded()
  local now = clock()
  if closed(now) then return { 'closed' } end
  set('latency', number('latency', ARGV[2]) * 0.9 + tonumber(ARGV[2]) * 0.1)
  set('strikes', 0, 'probing', 0, 'refusals', 0)
  local factor = number('factor', 1)
  if factor < 1 then set('factor', math.min(1, factor + 0.01)) end
  return { 'ok', text(number('factor', 1)) }
end

-- pause FOR OURS REASON: never shortened. A refusal that is ours (OURS 1) halves the rate if it is repeated; refusals
-- of calls that were under way when the pause began belong to the same mistake.
function operations.pause()
  local now = clock()
  local no = closed(now)
  if no and no[1] == 'cold' then return no end
  local before = number('pause', 0)
  if ARGV[3] == '1' and before <= now and redis.call('HINCRBY', key, 'refusals', 1) > 1 then
    set('factor', math.max(0.1, number('factor', 1) / 2))
  end
  local left = hold(now, math.max(before, now + tonumber(ARGV[2])), ARGV[4])
  return { 'paused', left, text(number('factor', 1)) }
end

-- failed THRESHOLD OPEN_FOR REASON: one more failure in a row; at the threshold, and on a failed probe, the breaker
-- opens.
function operations.failed()
  local now = clock()
  local no = closed(now)
  if no and no[1] == 'cold' then return no end
  local strikes = redis.call('HINCRBY', key, 'strikes', 1)
  if strikes < tonumber(ARGV[2]) and number('probing', 0) == 0 then return { 'closed', strikes } end
  return { 'open', hold(now, math.max(number('pause', 0), now + tonumber(ARGV[3])), ARGV[4]) }
end

-- warm FOR FACTOR REASON limits: sets up a missing state, paused and empty. The first one wins.
function operations.warm()
  if redis.call('HEXISTS', key, 'pause') == 1 then return { 'warm' } end
  local now = clock()
  set('pause', now + tonumber(ARGV[2]), 'since', now, 'factor', ARGV[3], 'reason', ARGV[4])
  for i, limit in ipairs(limits_from(5)) do set('tat' .. i, now + limit.burst * limit.interval) end
  return { 'warmed' }
end

-- resume: a person ends the pause.
function operations.resume()
  local now = clock()
  if redis.call('HEXISTS', key, 'pause') == 0 then return { 'cold' } end
  set('pause', now, 'strikes', 0, 'reason', '')
  return { 'ok' }
end

-- admit WINDOW LIFE names: tickets for fetch messages, as many as the window has room for.
function operations.admit()
  local now = clock()
  local no = closed(now)
  if no then return no end
  redis.call('ZREMRANGEBYSCORE', tickets, '-inf', now)
  local admitted = { 'ok' }
  for i = 4, math.min(#ARGV, 3 + tonumber(ARGV[2]) - redis.call('ZCARD', tickets)) do
    redis.call('ZADD', tickets, now + tonumber(ARGV[3]), ARGV[i])
    admitted[#admitted + 1] = ARGV[i]
  end
  return admitted
end

-- start NAME WORKER LEASE: the message is in a worker. A ticket that was given up, or used by a copy of the message, is
-- gone. A started one carries its worker's name.
function operations.start()
  local now = clock()
  redis.call('ZREMRANGEBYSCORE', tickets, '-inf', now)
  if redis.call('ZREM', tickets, ARGV[2]) == 0 then return { 'gone' } end
  redis.call('ZADD', tickets, now + tonumber(ARGV[4]), ARGV[3] .. ':' .. ARGV[2])
  return { 'ok' }
end

-- finish NAME WORKER
function operations.finish()
  redis.call('ZREM', tickets, ARGV[3] .. ':' .. ARGV[2])
  return { 'ok' }
end

-- bury WORKER: it has died; its slots and started tickets come back. Both are named by their worker.
function operations.bury()
  local gone, prefix = 0, ARGV[2] .. ':'
  for _, set_of in ipairs({ slots, tickets }) do
    for _, name in ipairs(redis.call('ZRANGE', set_of, 0, -1)) do
      if string.sub(name, 1, #prefix) == prefix then gone = gone + redis.call('ZREM', set_of, name) end
    end
  end
  return { 'ok', gone }
end

-- state: for people and gauges.
function operations.state()
  local now = clock()
  redis.call('ZREMRANGEBYSCORE', tickets, '-inf', now)
  redis.call('ZREMRANGEBYSCORE', slots, '-inf', now)
  local cold = redis.call('HEXISTS', key, 'pause') == 0
  return {
    cold and 'cold' or 'warm',
    text(math.max(0, number('pause', 0) - now)),
    text(now - number('since', now)),
    redis.call('HGET', key, 'reason') or '',
    text(number('factor', 1)),
    number('probing', 0),
    number('strikes', 0),
    redis.call('ZCARD', slots),
    redis.call('ZCARD', tickets),
    text(number('latency', 0)),
    number('turns', 0),
    number('calls', 0),
  }
end

return operations[ARGV[1]]()

local redis,server=(function()
  local sums,shadows={},{}
  local now,clock
  local function fresh() return {entered=0,left=0,seconds=0,listed={},as_written={}} end
  local function ready()
    clock=os.clock
    for own,api in pairs(shadows) do setmetatable(own,{__index=function(_,key) return api()[key] end}) end
  end
  local function named(tallies,command)
    local name=string.upper(tostring(command))
    local tally=tallies.listed[name]
    if not tally then tally={0,0} tallies.listed[name]=tally end
    tallies.as_written[command]=tally
    return tally
  end
  local function timed(api,name)
    return function(command,...)
      local tallies=now
      if not tallies or command==nil then return api()[name](command,...) end
      local tally=tallies.as_written[command] or named(tallies,command)
      tally[1]=tally[1]+1
      local before=clock()
      local reply=api()[name](command,...)
      tally[2]=tally[2]+(clock()-before)
      return reply
    end
  end
  local function counted(name,callback)
    local own=fresh()
    sums[name]=own
    return function(...)
      if not clock then ready() end
      now=own
      own.entered=own.entered+1
      local before=clock()
      local reply=callback(...)
      own.seconds=own.seconds+(clock()-before)
      own.left=own.left+1
      now=nil
      return reply
    end
  end
  local function register(first,callback,...)
    if callback==nil then
      first.callback=counted(first.function_name,first.callback)
      return redis.register_function(first)
    end
    return redis.register_function(first,counted(first,callback),...)
  end
  local function nothing() end
  local function us(seconds) return string.format('%.0f',1e6*seconds) end
  local function timers(rounds)
    local api={call=nothing}
    local call=timed(function() return api end,'call')
    now=fresh()
    local begun=clock()
    for _=1,rounds do nothing('GET','k') end
    local bare=clock()
    for _=1,rounds do call('GET','k') end
    local whole=clock()-bare
    local inside=now.listed.GET[2]
    now=nil
    return {string.format('%.0f',rounds),us(bare-begun),us(whole),us(inside)}
  end
  local function read_out(_,args)
    if not clock then ready() end
    local reply={timers(tonumber(args[1]))}
    for name,own in pairs(sums) do
      local row={name,us(own.entered/1e6),us(own.left/1e6),us(own.seconds)}
      for command,tally in pairs(own.listed) do
        row[#row+1]=command row[#row+1]=us(tally[1]/1e6) row[#row+1]=us(tally[2])
      end
      reply[#reply+1]=row
    end
    return reply
  end
  redis.register_function{function_name='READ_OUT',callback=read_out,flags={'no-writes'}}
  redis.register_function{function_name='DO_NOTHING',callback=function() return {1,'OK','a','b','c','d','e','f'} end}
  local function shadow(api,loads)
    local own={register_function=register,call=timed(api,'call'),pcall=timed(api,'pcall'),log=loads.log}
    own.LOG_DEBUG,own.LOG_VERBOSE,own.LOG_NOTICE,own.LOG_WARNING=loads.LOG_DEBUG,loads.LOG_VERBOSE,loads.LOG_NOTICE,loads.LOG_WARNING
    shadows[own]=api
    return own
  end
  return shadow(function() return redis end,redis),shadow(function() return server end,redis)
end)()

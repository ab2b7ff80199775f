-- https://knative.dev/docs/
local function operator(types, fatal)
  return function(obj)
    local good, bad, list = 0, 0, ""
    if not (obj.status and obj.status.conditions) then
      return result("Progressing", "Waiting for " .. obj.kind)
    end
    for i, c in ipairs(conditions(obj)) do
      list = list .. i .. ": " .. c.type .. " | " .. c.status .. "\n"
      if c.status == "True" and one_of(c.type, types) then
        good = good + 1
      elseif c.status == "Unknown" or (c.status == "False" and one_of(c.type, fatal)) then
        bad = bad + 1
      end
    end
    if bad > 0 then
      return result("Progressing", list)
    elseif good == #types then
      return result("Healthy", obj.kind .. " is healthy.")
    end
    return result("Degraded", list)
  end
end
kinds.KnativeEventing = operator({ "Ready", "InstallSucceeded" }, { "Ready" })
kinds.KnativeServing = operator(
  { "Ready", "InstallSucceeded", "DependenciesInstalled", "DeploymentsAvailable" },
  { "Ready", "DeploymentsAvailable" })

local function tell(c)
  local text = c.type .. " is " .. c.status
  if (c.reason or "") ~= "" then
    text = text .. ", since " .. c.reason .. "."
  end
  if (c.message or "") ~= "" then
    text = text .. " " .. c.message
  end
  return text .. "\n"
end

function kinds.Service(obj)
  local good, failed, waiting, text = 0, false, false, ""
  if not (obj.status and obj.status.conditions) then
    return result("Progressing", "Waiting for status update.")
  end
  for _, c in ipairs(conditions(obj)) do
    if c.status == "True" and one_of(c.type, { "ConfigurationsReady", "RoutesReady", "Ready" }) then
      good = good + 1
    elseif c.status == "False" or c.status == "Unknown" then
      text = text .. tell(c)
      failed = failed or c.status == "False"
      waiting = true
    end
  end
  if good == 3 and not waiting then
    return result("Healthy", "Knative Service is healthy.")
  end
  return result(failed and "Degraded" or "Progressing", text)
end

function kinds.CustomResourceDefinition(obj)
  if obj.metadata.deletionTimestamp then
    return result("Progressing", "CRD is terminating")
  end
  local established = false
  if #conditions(obj) == 0 then
    return result("Progressing", "Status conditions not found")
  end
  for _, c in ipairs(conditions(obj)) do
    if c.type == "Terminating" and c.status == "True" then
      return result("Progressing", "CRD is terminating: " .. c.message)
    elseif c.type == "NamesAccepted" and c.status == "False" then
      return result("Degraded", "CRD names have not been accepted: " .. c.message)
    elseif c.type == "NonStructuralSchema" and c.status == "True" then
      return result("Degraded", "Schema violations found: " .. c.message)
    elseif c.type == "Established" and c.status ~= "True" and c.reason == "Installing" then
      return result("Progressing", "CRD is being installed")
    end
    established = established or (c.type == "Established" and c.status == "True")
  end
  if established then
    return result("Healthy", "CRD is healthy")
  end
  return result("Degraded", "CRD is not established")
end

-- A run that is under way, or was never seen to succeed, says nothing about health.
function kinds.CronJob(obj)
  local s = obj.status
  if obj.spec.suspend == true then
    return result("Healthy", "CronJob is Suspended")
  elseif not s then
    return result("Progressing", "Waiting for CronJob")
  elseif not s.lastScheduleTime then
    return result("Healthy", "CronJob has not been scheduled yet")
  elseif not s.lastSuccessfulTime then
    return result("Healthy", "The CronJob never completed successfully. It may not be healthy")
  elseif s.active and #s.active > 0 then
    return result("Healthy", "The job is running. Its last execution may not have been successful")
  elseif s.lastSuccessfulTime < s.lastScheduleTime then
    return result("Degraded", "CronJob has not completed its last execution successfully")
  end
  return result("Healthy", "CronJob has completed its last execution successfully")
end

function kinds.PodDisruptionBudget(obj)
  local found = result("Progressing", "Waiting for status")
  for _, c in ipairs(conditions(obj)) do
    local bad = c.status == "False" and c.reason ~= "InsufficientPods"
    found = result(bad and "Degraded" or "Healthy", "PodDisruptionBudget has " .. c.reason)
    if bad then
      break
    end
  end
  return found
end

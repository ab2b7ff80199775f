function kinds.Provider(obj)
  local installed, healthy = {}, {}
  if not (obj.status and obj.status.conditions) then
    return result("Progressing", "Waiting for provider to be installed")
  end
  for _, c in ipairs(conditions(obj)) do
    if c.type == "Installed" then
      installed = c
    elseif c.type == "Healthy" then
      healthy = c
    end
  end
  local good = installed.status == "True" and healthy.status == "True"
  return result(good and "Healthy" or "Degraded", (installed.reason or "") .. " " .. (healthy.reason or ""))
end

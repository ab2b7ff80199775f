-- https://fluxcd.io/flux/components/. Each kind counts what speaks for progress and what for success.
local function check(rules)
  return function(obj)
    local progress, success, message = 0, 0, ""
    if rules.suspends and obj.spec.suspend == true then
      return result("Suspended", obj.kind .. " is suspended")
    end
    if not (obj.status and obj.status.conditions) then
      return result("Progressing", "Status unknown")
    end
    for _, c in ipairs(conditions(obj)) do
      if c.type == "Ready" then
        message = c.reason
        success = success + (c.status == "True" and 1 or 0)
        progress = progress + (c.status == rules.busy and 1 or 0)
      elseif c.status == "True" then
        local busy = c.type == "Reconciling" and (not rules.reasons or one_of(c.reason, rules.reasons))
        progress = progress + (busy and 1 or 0)
        success = success + (one_of(c.type, rules.also or {}) and 1 or 0)
        if c.type == rules.tells then
          message = message .. " " .. c.reason
        end
      end
    end
    if progress == 2 then
      return result(rules.stuck or "Progressing", message)
    end
    return result(success == (rules.needed or 1) and "Healthy" or "Degraded", message)
  end
end

local source = check({
  suspends = true, busy = "Unknown", also = { "ArtifactInStorage" }, needed = 2, tells = "ArtifactOutdated",
})
kinds.Bucket = source
kinds.GitRepository = source
kinds.HelmChart = source
kinds.OCIRepository = source
kinds.Kustomization = check({ suspends = true, busy = "Unknown" })
kinds.ImageUpdateAutomation = kinds.Kustomization
kinds.HelmRelease = check({ suspends = true, busy = "Unknown", also = { "Released", "TestSuccess" }, needed = 2 })
kinds.ImagePolicy = check({ busy = "False", reasons = { "NewGeneration", "AccessingRepository", "ApplyingPolicy" } })
kinds.ImageRepository = check({ suspends = true, busy = "False", reasons = { "NewGeneration", "Scanning" } })
kinds.Receiver = check({ suspends = true, busy = "False", stuck = "Degraded" })

function kinds.HelmRepository(obj)
  if obj.spec.type == "oci" and obj.spec.suspend ~= true then
    return result("Healthy", "Helm repositories of type 'oci' do not contain any information in the status.")
  end
  return source(obj)
end

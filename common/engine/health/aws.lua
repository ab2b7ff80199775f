-- AWS Controllers for Kubernetes: every kind of their groups. https://aws-controllers-k8s.github.io/community/
kinds["*"] = by_conditions({
  { "ACK.Terminal", "True", "Degraded" },
  { "Ready", "False", "Progressing" },
  { "Ready", "True", "Healthy", "" },
}, "Waiting for resource to be ready")

-- https://karpenter.sh/docs/concepts/
kinds.EC2NodeClass = by_conditions({
  { "Ready", "False", "Degraded" },
  { "Ready", "True", "Healthy", "EC2NodeClass is ready" },
}, "Waiting for EC2NodeClass to be ready")
kinds.NodePool = when("Ready", "Waiting for NodePool to be ready")

function kinds.NodeClaim(obj)
  if not is_current(obj, obj.status and obj.status.observedGeneration) then
    return result("Progressing", "Waiting for NodeClaim spec to be reconciled")
  end
  local found = decide_in_turn(conditions(obj), { { "Disrupting", "True", "Suspended" } })
  if found.status then
    return found
  end
  found = decide(conditions(obj), { { "Ready", "True", "Healthy" }, { "Ready", "False", "Degraded" } })
  if found.status then
    return found
  end
  return decide_in_turn(conditions(obj), {
    { "Initialized", "True", "Progressing", "Node initialized, waiting for Ready" },
    { "Registered", "True", "Progressing", "Node registered, waiting for initialization" },
    { "Launched", "True", "Progressing", "Node launched, waiting for registration" },
  }, "Progressing", "Waiting for NodeClaim to be launched")
end

-- https://cluster-api-aws.sigs.k8s.io/topics/eks/
local function failures(obj)
  local text = ""
  for _, c in ipairs(conditions(obj)) do
    if c.type == "Ready" and c.status == "True" then
      return nil, true
    elseif c.status == "False" and c.severity == "Error" then
      text = text .. (c.message or "") .. " "
    end
  end
  return text ~= "" and text or nil, false
end

function kinds.AWSManagedControlPlane(obj)
  local s = obj.status
  if not s then
    return result("Progressing", "Provisioning...")
  elseif not is_current(obj, s.observedGeneration) then
    return result("Progressing", "Waiting for the control plane spec to be reconciled")
  elseif (s.failureMessage or "") ~= "" then
    return result("Degraded", s.failureMessage)
  elseif not s.conditions then
    return result("Progressing", "Provisioning...")
  end
  for _, c in ipairs(s.conditions) do
    if c.type == "EKSControlPlaneUpdating" and c.status == "True" then
      return result("Progressing", "EKS control plane is updating")
    end
  end
  local text, ready = failures(obj)
  if ready then
    return result("Healthy", "Control plane is ready")
  elseif text then
    return result("Degraded", text)
  end
  return result("Progressing", "Control plane is not ready" .. (s.ready == false and " (.status.ready is false)" or ""))
end

-- https://github.com/keikoproj/iam-manager
function kinds.Iamrole(obj)
  local s = obj.status or {}
  local function tell(before, between, after)
    return before .. "'" .. (s.roleName or "<none>") .. "'" .. between .. "'" .. (s.roleARN or "<none>") .. "' and ID '"
      .. (s.roleID or "<none>") .. "'." .. after
  end
  if s.state == "Ready" then
    return result("Healthy", tell("Role ", " exists with ARN ", ""))
  elseif one_of(s.state, { "Error", "RolesMaxLimitReached", "PolicyNotAllowed", "RoleNameNotAvailable" }) then
    local retry = (s.retryCount or 0) > 0 and "(retry " .. s.retryCount .. ") " or ""
    local why = s.errorDescription and " Reconciliation error was: " .. s.errorDescription or ""
    return result("Degraded", tell("Failed to reconcile the Iamrole " .. retry .. "for role ", " with ARN ", why))
  end
  return result("Progressing", "Waiting for Iamrole to be reconciled")
end

-- https://docs.spot.io/ocean/
function kinds.SpotDeployment(obj)
  if not (obj.status and obj.status.conditions) then
    return {}
  end
  local bad = decide(conditions(obj), {
    { "InvalidSpec", "*", "Degraded" },
    { "Progressing", "*", "Degraded", reasons = { "RolloutAborted", "ProgressDeadlineExceeded" } },
    { "Paused", "True", "Suspended", "Rollout is paused" },
  })
  if bad.status then
    return bad
  elseif obj.status.phase == "Progressing" then
    return result("Progressing", "Waiting for rollout to finish steps")
  end
  return result("Healthy", "")
end

-- https://gitops-promoter.readthedocs.io/
local function short(sha)
  return (sha or ""):sub(1, 7)
end

-- What is the same for all kinds: nil when the object is ready. names: begin (before there is a status), observe (whose
-- specification is waited for), deleting, failed and also (prefixes of what is told of a failure, with its reason and without),
-- unknown (prefix; NIL: an unknown condition does not count), missing (told without a condition), types (of the condition).
local function not_ready(obj, names)
  if obj.metadata.deletionTimestamp then
    return result("Progressing", names.deleting)
  elseif not obj.status then
    return result("Progressing", "Initializing " .. names.begin)
  end
  local seen = false
  for _, c in ipairs(conditions(obj)) do
    if one_of(c.type, names.types or { "Ready" }) then
      seen = true
      local reason, message = c.reason or "Unknown", c.message
      if not is_current(obj, c.observedGeneration) then
        return result("Progressing", "Waiting for " .. names.observe .. " spec update to be observed")
      elseif c.status == "False" and reason == "ReconciliationError" then
        return result("Degraded", names.failed .. ": " .. (message or "Unknown error"))
      elseif c.status == "False" then
        return result("Degraded", names.also .. " (" .. reason .. "): " .. (message or "Unknown error"))
      elseif c.status == "Unknown" and names.unknown then
        return result("Progressing", names.unknown .. " (" .. reason .. "): " .. (message or "Unknown"))
      end
    end
  end
  return not seen and result("Progressing", names.missing) or nil
end

-- name: "Commit status"; begins a sentence, and stands inside of one in lower case. observe: how it is called in the latter.
local function reconciled(name, observe)
  return {
    begin = observe, observe = observe, deleting = name .. " is being deleted",
    failed = name .. " reconciliation failed", also = name .. " reconciliation failed", missing = name .. " is not ready yet",
  }
end

local function provider(name, kind, what)
  return {
    begin = what or name, observe = kind, deleting = kind .. " is being deleted.", failed = name .. " validation failed",
    also = name .. " not ready", unknown = name .. " readiness unknown", missing = kind .. " Ready condition is missing",
  }
end

local function is_ready(names, message)
  return function(obj)
    return not_ready(obj, names) or result("Healthy", message)
  end
end
kinds.GitRepository = is_ready(provider("Git repository", "GitRepository"), "Git repository is ready")
kinds.ScmProvider = is_ready(provider("SCM provider", "ScmProvider"), "SCM provider is ready")
kinds.ClusterScmProvider = is_ready(provider("Cluster SCM provider", "ClusterScmProvider", "cluster SCM provider"),
  "Cluster SCM provider is ready")

function kinds.ArgoCDCommitStatus(obj)
  local bad = not_ready(obj, reconciled("Argo CD commit status", "Argo CD commit status"))
  local n = bad and 0 or #(obj.status.applicationsSelected or {})
  if bad then
    return bad
  elseif n == 0 then
    return result("Degraded", "Argo CD commit status has no applications configured")
  end
  return result("Healthy", "Argo CD commit status is healthy and is tracking " .. n .. " applications")
end

function kinds.CommitStatus(obj)
  local bad, s = not_ready(obj, reconciled("Commit status", "commit status")), obj.status
  if bad then
    return bad
  elseif not s.sha or not s.phase then
    return result("Healthy", "Commit status is healthy")
  end
  return result("Healthy", "Commit status for commit " .. s.sha .. " reports " .. s.phase)
end

function kinds.PullRequest(obj)
  local names = reconciled("Pull request", "pull request")
  names.types = { "Reconciled", "Ready" }
  names.deleting = "Pull request is being deleted."
  local bad, s = not_ready(obj, names), obj.status
  if bad then
    return bad
  elseif not s.id or not s.state then
    return result("Healthy", "Pull request is healthy")
  end
  return result("Healthy", "Pull request is " .. s.state .. " as PR " .. s.id)
end

-- Gates: a phase for each environment.
local function gate(kind, texts)
  local names = {
    begin = texts.begin, observe = kind, deleting = kind .. " is being deleted", failed = texts.name .. " failed",
    also = texts.name .. " not ready", unknown = texts.unknown or (texts.name .. " status unknown"),
    missing = kind .. " Ready condition is missing",
  }
  kinds[kind] = function(obj)
    local bad = not_ready(obj, names)
    if bad then
      return bad
    end
    local branches, good = { failure = {}, pending = {} }, 0
    for _, env in ipairs(obj.status.environments or {}) do
      local list = branches[env.phase == "failure" and "failure" or "pending"]
      if env.phase == "success" then
        good = good + 1
      else
        list[#list + 1] = env.branch or "?"
      end
    end
    if #branches.failure > 0 then
      return result("Degraded", texts.told .. " failed for branch(es): " .. table.concat(branches.failure, ", "))
    elseif #branches.pending > 0 then
      return result("Progressing", texts.told .. " pending for branch(es): " .. table.concat(branches.pending, ", "))
    elseif good == 0 then
      return result("Healthy", texts.name .. " reconciled")
    end
    return result("Healthy", texts.told .. texts.passed .. good .. " environment(s)")
  end
end
gate("GitCommitStatus", {
  begin = "git commit validation", name = "Git commit validation", told = "Git commit validation", passed = " passed for ",
})
gate("TimedCommitStatus", {
  begin = "timed commit gate", name = "Timed commit gate", told = "Timed commit gate", passed = " satisfied for ",
})
gate("WebRequestCommitStatus", {
  begin = "web request commit validation", name = "Web request commit validation", told = "Web request validation",
  passed = " passed for ", unknown = "Web request commit validation unknown",
})

-- ---- promotions ----

local function count(statuses)
  local n = { pending = 0, success = 0, failure = 0, keys = { pending = {}, failure = {} } }
  for _, s in ipairs(statuses or {}) do
    if n[s.phase] and type(n[s.phase]) == "number" then
      n[s.phase] = n[s.phase] + 1
      local keys = n.keys[s.phase]
      if keys then
        keys[#keys + 1] = s.key
      end
    end
  end
  return n
end

local function tell(n)
  local text = n.pending .. " pending, " .. n.success .. " successful, " .. n.failure .. " failed. "
  if n.pending > 0 then
    text = text .. "Pending commit statuses: " .. table.concat(n.keys.pending, ", ") .. ". "
  end
  if n.failure > 0 then
    text = text .. "Failed commit statuses: " .. table.concat(n.keys.failure, ", ") .. ". "
  end
  return text
end

local function dry_sha(side)
  local sha = side and side.dry and side.dry.sha
  return sha ~= "" and sha or nil
end

function kinds.ChangeTransferPolicy(obj)
  local names = reconciled("Change transfer policy", "change transfer policy")
  names.deleting = "Change transfer policy is being deleted."
  local bad, s = not_ready(obj, names), obj.status
  if bad then
    return bad
  end
  local active, proposed = dry_sha(s.active), dry_sha(s.proposed)
  if not active or not proposed then
    return result("Progressing", "The " .. (active and "proposed" or "active") .. " commit DRY SHA is missing or empty.")
  elseif active ~= proposed then
    return result("Progressing", "Promotion in progress from '" .. short(active) .. "' to '" .. short(proposed) .. "': "
      .. tell(count(s.proposed.commitStatuses)))
  end
  local n = count(s.active.commitStatuses)
  if n.pending + n.failure > 0 then
    return result("Healthy", "Environment is up-to-date, but there are non-successful active commit statuses: " .. tell(n))
  end
  return result("Healthy", "Environment is up-to-date on commit " .. short(active) .. ".")
end

-- The commit that the hydrator has seen.
local function hydrated(env)
  local sha = env.proposed and env.proposed.note and env.proposed.note.drySha
  return (sha or "") ~= "" and sha or dry_sha(env.proposed)
end

local function unfinished(environments)
  for _, env in ipairs(environments) do
    local missing = not dry_sha(env.active) and "active" or not hydrated(env) and "proposed"
    if missing then
      return "The " .. missing .. " commit DRY SHA is missing or empty in environment '" .. env.branch .. "'."
    end
  end
  for _, env in ipairs(environments) do
    if hydrated(env) ~= hydrated(environments[1]) then
      return "Not all environments have the same proposed commit SHA. This likely means the hydrator has not run for all "
        .. "environments yet."
    end
  end
  for _, env in ipairs(environments) do
    local to = env.proposed.dry and env.proposed.dry.sha
    if to ~= env.active.dry.sha then
      return "Promotion in progress for environment '" .. env.branch .. "' from '" .. short(env.active.dry.sha) .. "' to '"
        .. short(to) .. "': " .. tell(count(env.proposed.commitStatuses)) .. "Hydrator has processed dry commit '"
        .. short(hydrated(env)) .. "'. "
    end
  end
end

function kinds.PromotionStrategy(obj)
  local bad, s = not_ready(obj, reconciled("Promotion strategy", "promotion strategy")), obj.status
  if bad then
    return bad
  end
  local environments = s.environments or {}
  if #environments == 0 then
    return result("Degraded", "Promotion strategy has no environments configured")
  end
  local waiting, open = unfinished(environments), {}
  if waiting then
    return result("Progressing", waiting)
  end
  for _, env in ipairs(environments) do
    local n = count(env.active.commitStatuses)
    if n.pending + n.failure > 0 then
      open[#open + 1] = env.branch .. " (" .. n.failure .. " failed, " .. n.pending .. " pending)"
    end
  end
  if #open > 0 then
    return result("Healthy", "Environments are up-to-date, but some environments have non-successful commit statuses: "
      .. table.concat(open, ", ") .. ".")
  end
  return result("Healthy", "All environments are up-to-date on commit '" .. short(environments[1].active.dry.sha)
    .. "'. Hydrator has processed dry commit '" .. short(hydrated(environments[1])) .. "'.")
end

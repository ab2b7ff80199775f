-- What all checks share. A file of checks fills `kinds`: by kind, or "*", a function of the object that returns a result.
kinds = {}

function result(status, message)
  return { status = status, message = message }
end

function conditions(obj)
  return obj.status and obj.status.conditions or {}
end

-- rules: {type, status, health, message}; the first condition that one of them is about decides. Without a message of the
-- rule's the condition's own is told.
function decide(list, rules, status, message)
  for _, c in ipairs(list) do
    for _, r in ipairs(rules) do
      if c.type == r[1] and c.status == r[2] then
        return result(r[3], r[4] or c.message)
      end
    end
  end
  return result(status, message)
end

-- A check of objects that are well when a condition is True, and not when it is False.
function when(type, waiting)
  local rules = { { type, "False", "Degraded" }, { type, "True", "Healthy" } }
  return function(obj)
    return decide(conditions(obj), rules, "Progressing", waiting)
  end
end

-- Rules one after the other, each over all conditions.
function decide_in_turn(list, rules, status, message)
  for _, r in ipairs(rules) do
    for _, c in ipairs(list) do
      if c.type == r[1] and c.status == r[2] then
        return result(r[3], r[4] or c.message)
      end
    end
  end
  return result(status, message)
end

function one_of(text, list)
  for _, item in ipairs(list) do
    if item == text then
      return true
    end
  end
  return false
end

-- What all checks share. A file of checks fills `kinds`: by kind, or "*", a function of the object that returns a result.
kinds = {}

function result(status, message)
  return { status = status, message = message }
end

function conditions(obj)
  return obj.status and obj.status.conditions or {}
end

local function told(rule, condition)
  local text = rule[4]
  if type(text) == "function" then
    return text(condition)
  end
  return text or condition.message or rule.default
end

local function fits(rule, condition)
  return condition.type == rule[1] and (rule[2] == "*" or condition.status == rule[2])
    and (not rule.reasons or one_of(condition.reason, rule.reasons))
end

-- rules: {type, status, health, message}; the first condition that one of them is about decides. A status of "*" is any; with
-- `reasons`, the reason has to be one of them. The message is a text, or a function of the condition; without one the
-- condition's own is told, or the rule's `default`.
function decide(list, rules, status, message)
  for _, c in ipairs(list) do
    for _, r in ipairs(rules) do
      if fits(r, c) then
        return result(r[3], told(r, c))
      end
    end
  end
  return result(status, message)
end

-- A check that is nothing but rules.
function by_conditions(rules, waiting)
  return function(obj)
    return decide(conditions(obj), rules, "Progressing", waiting)
  end
end

-- A check of a field of the status: states is {value = {health, message}}, `other` for all other values; a message may be a
-- function of the value and the object. An object without the field is waited for.
function by_state(field, states, waiting, other)
  return function(obj)
    local value = obj.status and obj.status[field]
    local s = value ~= nil and (states[value] or other)
    if not s then
      return result("Progressing", waiting)
    end
    local text = s[2]
    return result(s[1], type(text) == "function" and text(value, obj) or text)
  end
end

function itself(value)
  return value
end

-- Whether the status is of the object as it is; where either side tells nothing, it is.
function is_current(obj, generation)
  local wanted = obj.metadata.generation
  return wanted == nil or generation == nil or generation == wanted
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
      if fits(r, c) then
        return result(r[3], told(r, c))
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

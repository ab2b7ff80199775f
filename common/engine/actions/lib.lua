-- What all bundled actions share. A file fills `kinds`: by kind, its actions by name, each {run = …} and optionally icon,
-- title (text or function), params, disabled (function: greyed out) and shown (function: not offered unless it says true).
-- `run` changes the object, or returns a list of what is to be done.
kinds = {}

local os = require("os")
local WITH_ICON = "fa fa-fw fa-"

function now()
  return os.date("!%Y-%m-%dT%H:%M:%SZ")
end

function stamp(format)
  return os.date(format)
end

local function value(v, obj)
  if type(v) == "function" then
    return v(obj)
  end
  return v
end

function annotations(holder)
  holder.metadata = holder.metadata or {}
  holder.metadata.annotations = holder.metadata.annotations or {}
  return holder.metadata.annotations
end

function labels(holder)
  holder.metadata = holder.metadata or {}
  holder.metadata.labels = holder.metadata.labels or {}
  return holder.metadata.labels
end

-- An annotation's value, without making any.
function annotation(obj, name)
  return obj.metadata and obj.metadata.annotations and obj.metadata.annotations[name]
end

function annotate(name, text)
  return function(obj)
    annotations(obj)[name] = value(text, obj)
  end
end

-- A copy without empty tables: nobody knows whether they are lists.
function copy(v)
  if type(v) ~= "table" then
    return v
  end
  local out = {}
  for k, member in pairs(v) do
    out[k] = copy(member)
  end
  if next(out) ~= nil then
    return out
  end
end

function owner(obj)
  return { apiVersion = obj.apiVersion, kind = obj.kind, name = obj.metadata.name, uid = obj.metadata.uid }
end

function created(resource)
  return { { operation = "create", resource = resource } }
end

-- spec.suspend

function suspended(obj)
  return obj.spec and obj.spec.suspend == true or false
end

function running(obj)
  return not suspended(obj)
end

function suspend(obj)
  obj.spec = obj.spec or {}
  obj.spec.suspend = true
end

function resume(obj)
  if suspended(obj) then
    obj.spec.suspend = false
  end
end

function discover(obj)
  local found = {}
  for name, action in pairs(kinds[obj.kind] or {}) do
    if not action.shown or action.shown(obj) then
      found[name] = {
        iconClass = action.icon and WITH_ICON .. action.icon,
        displayName = value(action.title, obj),
        disabled = action.disabled and action.disabled(obj) and true or nil,
        params = value(action.params, obj),
      }
    end
  end
  return found
end

function perform(obj, name, params)
  return kinds[obj.kind][name].run(obj, params) or obj
end

function has_action(obj, name)
  return kinds[obj.kind] ~= nil and kinds[obj.kind][name] ~= nil
end

-- https://strimzi.io/docs/
local function check(waiting, excused)
  return function(obj)
    for _, c in ipairs(conditions(obj)) do
      if c.type == "NotReady" and c.status == "True" and not (excused and c.reason == excused) then
        return result("Degraded", c.message)
      elseif c.type == "Ready" and c.status == "True" then
        return result("Healthy", "")
      end
    end
    return result("Progressing", waiting)
  end
end
kinds.Kafka = check("Waiting for Kafka Cluster", "Creating")
kinds.KafkaBridge = check("Waiting for KafkaBridge")
kinds.KafkaConnect = check("Waiting for Kafka Connect")
kinds.KafkaConnector = check("Waiting for KafkaConnector")
kinds.KafkaTopic = check("Waiting for Kafka Topic")
kinds.KafkaUser = check("Waiting for Kafka User")

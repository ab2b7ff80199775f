-- Kinds whose condition says it all.
kinds.Issuer = when("Ready", "Initializing issuer")
kinds.ClusterIssuer = when("Ready", "Initializing ClusterIssuer")
kinds.ClusterSecretStore = when("Ready", "Waiting for ClusterSecretStore")
kinds.ExternalSecret = when("Ready", "Waiting for ExternalSecret")
kinds.PushSecret = when("Ready", "Waiting for PushSecret")
kinds.SecretStore = when("Ready", "Waiting for SecretStore")
kinds.SealedSecret = when("Synced", "Waiting for Sealed Secret to be decrypted")

-- A certificate that is being renewed is still there, and is waited for.
function kinds.Certificate(obj)
  for _, c in ipairs(conditions(obj)) do
    if c.type == "Issuing" and c.status == "True" then
      return result("Progressing", c.message)
    end
  end
  return when("Ready", "Waiting for certificate")(obj)
end

-- The newest condition stands last.
function kinds.ClusterExternalSecret(obj)
  return decide({ conditions(obj)[#conditions(obj)] }, {
    { "Ready", "True", "Healthy" },
    { "PartiallyReady", "True", "Degraded" },
    { "NotReady", "True", "Degraded" },
  }, "Progressing", "Waiting for ClusterExternalSecret")
end

-- Tenants that sent anything within two weeks, the busiest of today first.
SELECT tenant
FROM {database}.data_quality
WHERE minute > now() - 14 * 86400
GROUP BY tenant
ORDER BY sumIf(accepted_n, minute > now() - 86400) DESC, tenant
LIMIT 1000

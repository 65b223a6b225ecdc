#!/bin/sh
# Keys with budgets, made over HTTP as with LiteLLM. Start a gateway first; its master key is in <data folder>/master-key.
set -eu
: "${TOLLGATE_URL:=http://127.0.0.1:4000}"
: "${TOLLGATE_MASTER_KEY:=$(cat .tollgate/master-key)}"

# Ten dollars a month.
curl -sS --fail-with-body "$TOLLGATE_URL/key/generate" \
  -H "Authorization: Bearer $TOLLGATE_MASTER_KEY" \
  -H 'Content-Type: application/json' \
  -d '{"max_budget": 10, "budget_duration": "30d"}'
echo

# Ten dollars a day and a hundred a month: each window starts again on its own.
curl -sS --fail-with-body "$TOLLGATE_URL/key/generate" \
  -H "Authorization: Bearer $TOLLGATE_MASTER_KEY" \
  -H 'Content-Type: application/json' \
  -d '{"budget_limits": [
        {"budget_duration": "24h", "max_budget": 10},
        {"budget_duration": "30d", "max_budget": 100}
      ]}'
echo

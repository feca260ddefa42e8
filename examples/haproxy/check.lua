-- GET /oauth/check for HAProxy: the action lua.check(RESOURCE, SCOPES) asks grantd about the token of the request and leaves what it
-- says in variables. HAProxy makes the request itself (core.httpclient, since 2.5), so that no other package is needed.
local grantd = os.getenv('GRANTD_URL')

local function encoded(text)
  return (text:gsub('[^%w]', function(char) return string.format('%%%02X', char:byte()) end))
end

core.register_action('check', { 'http-req' }, function(txn, resource, scopes)
  local sent = txn.http:req_get_headers()['authorization']
  local answer = { status = 401, headers = { ['www-authenticate'] = { [0] = 'Bearer' } } }
  if sent then
    -- No answer is no refusal.
    answer = core.httpclient():get({
      url = grantd .. '/oauth/check?resource=' .. encoded(resource) .. '&scope=' .. encoded(scopes),
      headers = { ['authorization'] = { sent[0] } },
      timeout = 5000
    }) or {}
  end

  local function said(name)
    local values = (answer.headers or {})[name]
    return values and values[0] or ''
  end
  txn:set_var('txn.check_status', answer.status or 0)
  txn:set_var('txn.check_challenge', said('www-authenticate'))
  for _, name in ipairs({ 'subject', 'client', 'scope', 'authorization' }) do
    txn:set_var('txn.auth_' .. name, said('x-auth-' .. name))
  end
end, 2)

/** Enters the user code of a grant on the page /device for a signed-in user; the pages after it need that. */

/** Returns the cookie in which the pages remember the code. */
export async function enterCode(url: string, sessionCookie: string, userCode: string): Promise<string> {
  const form = await (await fetch(`${url}/device`, { headers: { cookie: sessionCookie } })).text()
  const csrf = /name="csrf"[^>]*value="([^"]+)"|value="([^"]+)"[^>]*name="csrf"/.exec(form)
  const answer = await fetch(`${url}/device`, {
    method: 'POST',
    redirect: 'manual',
    // Browsers send these headers under a referrer policy of `no-referrer`: the origin of a form is then null.
    headers: { cookie: sessionCookie, origin: 'null', 'sec-fetch-site': 'same-origin' },
    body: new URLSearchParams({ csrf: csrf?.[1] ?? csrf?.[2] ?? '', user_code: userCode })
  })
  const cookie = answer.headers.getSetCookie()[0]?.split(';')[0]
  if (answer.status !== 303 || !cookie) throw new Error(`a code was entered and answered ${answer.status}`)
  return cookie
}

/**
 * An upstream in the process of a test cannot answer while that process stands still, as it does on a busy machine. Time-outs of
 * requests to it would run on, and be due before the answer is read. Importing this counts only the time in which the process ran:
 * `AbortSignal.timeout` looks ten times a second, and a look that is late counts as if it had come in time.
 */
const TICK_MS = 100
const timeoutInRealTime = AbortSignal.timeout.bind(AbortSignal)

AbortSignal.timeout = (ms) => {
  // What is due so soon is about something else.
  if (ms < 10 * TICK_MS) return timeoutInRealTime(ms)
  const controller = new AbortController()
  let ticksLeft = Math.ceil(ms / TICK_MS)
  const timer = setInterval(() => {
    ticksLeft -= 1
    if (ticksLeft > 0) return
    clearInterval(timer)
    controller.abort(new DOMException('The operation was aborted due to timeout', 'TimeoutError'))
  }, TICK_MS).unref()
  return controller.signal
}

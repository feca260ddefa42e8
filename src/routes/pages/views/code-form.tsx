import type { Visit } from '../visit.js'
import { Form, Layout, Notice } from './layout.js'

/** Caps what may be typed. It is more than any way of writing a code takes. */
export const LONGEST_TYPED_CODE = 64

interface CodeFormProps {
  visit: Visit
  /** What a link filled in. */
  linkedCode?: string
  /** Whether the code that was sent leads nowhere; why is not told. */
  isInvalid?: boolean
}

/** The page where a code is entered (RFC 8628 §3.3). */
export function CodeForm(props: CodeFormProps) {
  const { visit, isInvalid = false } = props
  const { texts } = visit
  return (
    <Layout visit={visit} title={texts.device.title} here="device">
      {isInvalid && <Notice kind="problem">{texts.device.invalid}</Notice>}
      <p>{texts.device.intro}</p>
      <CodeEntry {...props} />
    </Layout>
  )
}

/** The form alone, for the landing page as well. */
export function CodeEntry({ visit, linkedCode, isInvalid = false }: CodeFormProps) {
  const { texts } = visit
  return (
    <Form visit={visit} action="/device" class="stack">
      <label>
        <span>{texts.device.label}</span>
        <input
          class="code"
          name="user_code"
          value={linkedCode}
          required
          maxLength={LONGEST_TYPED_CODE}
          autocomplete="off"
          autocapitalize="characters"
          spellcheck={false}
          placeholder="XXXX-XXXX"
          aria-invalid={isInvalid ? 'true' : undefined}
        />
        <small>{linkedCode === undefined ? texts.device.hint : texts.device.linked}</small>
      </label>
      <button type="submit" class="primary">
        {texts.device.submit}
      </button>
    </Form>
  )
}

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

/** What tells the style sheet that a code is typed without a hyphen between its groups. The browser refuses nothing by it. */
const WITHOUT_HYPHEN = '[A-Za-z]{5,8}'
const GROUP = [1, 2, 3, 4]

/** What the letters of the code stand in: boxes to look at, behind the one input there is. */
function Boxes() {
  return (
    <span class="boxes" aria-hidden="true">
      {GROUP.map((place) => (
        <span key={place} />
      ))}
      <span class="between" />
      {GROUP.map((place) => (
        <span key={place} />
      ))}
    </span>
  )
}

/** The form alone, for the landing page as well. */
export function CodeEntry({ visit, linkedCode, isInvalid = false }: CodeFormProps) {
  const { texts } = visit
  return (
    <Form visit={visit} action="/device" class="stack" isCheckedHere>
      <label>
        <span>{texts.device.label}</span>
        <span class="code-field">
          <input
            class="code"
            name="user_code"
            value={linkedCode}
            required
            maxLength={LONGEST_TYPED_CODE}
            pattern={WITHOUT_HYPHEN}
            autocomplete="off"
            autocapitalize="characters"
            spellcheck={false}
            placeholder=" "
            aria-invalid={isInvalid ? 'true' : 'false'}
          />
          <Boxes />
        </span>
        <small>{linkedCode === undefined ? texts.device.hint : texts.device.linked}</small>
      </label>
      <button type="submit" class="primary">
        {texts.device.submit}
      </button>
    </Form>
  )
}

import type { Visit } from '../visit.js'
import { Form, Layout, Notice } from './layout.js'

/** The length cap of the field, longer than every spelling of a code. */
export const LONGEST_TYPED_CODE = 64

interface CodeFormProps {
  visit: Visit
  /** The code that a link filled in. */
  linkedCode?: string
  /** Whether the submitted code is wrong; the page never says why. */
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

/** Lets the style sheet see a code without a hyphen (`:valid`). Browsers do not enforce it, because the form is `novalidate`. */
const WITHOUT_HYPHEN = '[A-Za-z]{5,8}'
const GROUP = [1, 2, 3, 4]

/** The drawn boxes for the letters, behind the single input. */
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

/** The form, which the landing page shows as well. */
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

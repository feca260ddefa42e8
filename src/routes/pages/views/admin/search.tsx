/** The form that finds users, and those who were found where they are several. */
import type { Person } from '../../../../core/directory/directory.js'
import { readClaim } from '../../../../core/grants/self-description.js'
import type { Upstream } from '../../../../core/upstream/upstream.js'
import { pathOfUser } from '../../admin/user-path.js'
import { adminTexts } from '../../texts/admin.js'
import type { Visit } from '../../visit.js'
import { Form, Notice } from '../layout.js'
import { AdminFrame, Exactly } from './frame.js'

interface AdminSearchProps {
  visit: Visit
  upstreams: readonly Upstream[]
  /** What was typed. It stays in the fields. */
  typed?: { email?: string; id?: string; provider?: string; subject?: string }
  problem?: keyof typeof adminTexts.search.problems
  found?: readonly Person[]
  /** Whether more were found than are shown. */
  isMore?: boolean
}

export function AdminSearch({ visit, upstreams, typed = {}, problem, found = [], isMore = false }: AdminSearchProps) {
  const { search: texts } = adminTexts
  return (
    <AdminFrame visit={visit} title={texts.title} here="search">
      {problem && <Notice kind="problem">{texts.problems[problem]}</Notice>}
      {found.length > 0 && (
        <section>
          <h2>{texts.several(found.length)}</h2>
          {isMore && <p>{texts.more}</p>}
          <ul class="cards">
            {found.map((person) => (
              <Found key={person.userId} visit={visit} person={person} />
            ))}
          </ul>
        </section>
      )}
      <p>{texts.intro}</p>
      <Form visit={visit} action="/admin/find" class="stack" isCheckedHere>
        <Field name="email" label={texts.email} value={typed.email} hint={texts.emailHint} />
        <Field name="id" label={texts.id} value={typed.id} />
        <label>
          <span>{texts.provider}</span>
          <select name="provider">
            <option value="">{texts.noProvider}</option>
            {upstreams.map(({ id, name }) => (
              <option key={id} value={id} selected={id === typed.provider}>
                {name}
              </option>
            ))}
          </select>
        </label>
        <Field name="subject" label={texts.subject} value={typed.subject} hint={texts.subjectHint} />
        <button type="submit" class="primary">
          {texts.submit}
        </button>
      </Form>
    </AdminFrame>
  )
}

function Found({ visit, person }: { visit: Visit; person: Person }) {
  return (
    <li>
      <a href={`${visit.base}/admin/users/${pathOfUser(person.userId)}`}>
        <bdi>{readClaim(person.name)?.text ?? adminTexts.search.unnamed}</bdi>
      </a>
      <div>
        <Exactly>{person.userId}</Exactly>
      </div>
    </li>
  )
}

interface FieldProps {
  name: string
  label: string
  value: string | undefined
  hint?: string
}

function Field({ name, label, value, hint }: FieldProps) {
  return (
    <label>
      <span>{label}</span>
      <input name={name} value={value} maxLength={320} autocomplete="off" autocapitalize="none" spellcheck={false} />
      {hint && <small>{hint}</small>}
    </label>
  )
}

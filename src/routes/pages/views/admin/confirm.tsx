/** The question before something is done to a user that cannot be undone, or that locks them out. */
import type { Person } from '../../../../core/directory/directory.js'
import { pathOfUser } from '../../admin/user-path.js'
import { adminTexts } from '../../texts/admin.js'
import type { Visit } from '../../visit.js'
import { Form } from '../layout.js'
import { AdminFrame } from './frame.js'
import { Who } from './who.js'

interface AdminConfirmProps {
  visit: Visit
  person: Person
  what: 'revoke-all' | 'block'
}

export function AdminConfirm({ visit, person, what }: AdminConfirmProps) {
  const { [what]: texts, cancel } = adminTexts.confirm
  const path = `/admin/users/${pathOfUser(person.userId)}`
  return (
    <AdminFrame visit={visit} title={texts.title}>
      <Who visit={visit} person={person} />
      <p>{texts.text}</p>
      <div class="actions">
        <Form visit={visit} action={`${path}/${what}`}>
          <button type="submit" class="danger">
            {texts.submit}
          </button>
        </Form>
        <a class="button" href={visit.base + path}>
          {cancel}
        </a>
      </div>
    </AdminFrame>
  )
}

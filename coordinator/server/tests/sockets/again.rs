//! A coordinator that ends and another that takes its place, as a front end sees it.

use dray_client::{Client, Error, Options};
use dray_server::{CoreSetup, Server};
use dray_wire::messages::Outcome;
use dray_wire::{Class, Epoch, Message, RequestId, SessionId, Status, Verb};

use crate::party::{AMPLE, Place, Played, item, play, run};

const INFO: &[u8] = b"again";

async fn outcome(pushed: &mut dray_client::Pushed) -> Outcome {
    let message = tokio::time::timeout(AMPLE, pushed.recv()).await.expect("an outcome");
    let Some(Message::Outcomes(list)) = message else { panic!("{message:?}") };
    assert_eq!(list.outcomes.0.len(), 1);
    list.outcomes.0[0].clone()
}

//= docs/wire.md#w-58
#[test]
fn outcomes_come_over_the_connection_that_asked_last() {
    let place = Place::new();
    run(async {
        let played = play(&place, "n1", Played::done).await;
        let shut = played.gate.lock().await;
        let (first, _) = place.client("first").await;
        let session = first.create_session(INFO).await.unwrap();
        let items = vec![item(1)];
        let asked = first.submit(session, Class::ARCHIVE, Verb::ARCHIVE, items).await.unwrap();
        drop(first);
        let (second, mut pushed) = place.client("second").await;
        assert_eq!(second.find_session(session, b"").await.unwrap(), Some(session));
        assert_eq!(second.find_session(SessionId(1), INFO).await.unwrap(), Some(session));
        assert_eq!(second.find_session(SessionId(1), b"").await.unwrap(), None);
        let unknown = RequestId(u64::MAX);
        let stand = second.watch(&[asked[0], unknown]).await.unwrap();
        assert!(!stand[0].is_final() && stand[1] == Status(0), "{stand:?}");
        drop(shut);
        assert_eq!(outcome(&mut pushed).await.status, Status::DONE);
        // And once more for who comes later still.
        let (third, mut pushed) = place.client("third").await;
        let many = vec![asked[0]; 1].into_iter().chain(vec![unknown; 5000]);
        let stand = third.watch(&many.collect::<Vec<_>>()).await.unwrap();
        assert_eq!((stand.len(), stand[0], stand[5000]), (5001, Status::DONE, Status(0)));
        assert_eq!(outcome(&mut pushed).await.request, asked[0]);
    });
}

#[test]
fn a_program_waits_for_the_next_coordinator() {
    let Place { server, address, folder } = Place::new();
    let (gone, is_gone) = std::sync::mpsc::channel();
    let (socket, next_address) = (folder.path().join("dray.sock"), address.clone());
    let next = std::thread::spawn(move || {
        is_gone.recv().unwrap();
        std::thread::sleep(3 * dray_client::AGAIN);
        let setup = CoreSetup { epoch: Epoch(2), ..CoreSetup::default() };
        let server = Server::start(setup).unwrap();
        server.listen(next_address, Default::default()).unwrap();
        server
    });
    run(async {
        let options = Options::client("patient");
        let (client, mut pushed) = Client::connect(&address, None, &options).await.unwrap();
        drop(server);
        assert!(pushed.recv().await.is_none());
        let error = client.ping().await.unwrap_err();
        assert!(matches!(error, Error::Closed) && error.is_of_connection());
        assert!(!socket.exists());
        gone.send(()).unwrap();
        let (client, _) = Client::connect_again(&address, None, &options).await.unwrap();
        assert_eq!(client.welcome().epoch, Epoch(2));
    });
    drop(next.join().unwrap());
}

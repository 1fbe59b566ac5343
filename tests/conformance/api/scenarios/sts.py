def get_caller_identity(scene):
    who = scene.sts.get_caller_identity()
    assert who["Account"] == scene.account.account_id() and who["UserId"] and who["Arn"].startswith("arn:aws:")
